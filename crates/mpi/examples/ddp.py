#!/usr/bin/env python3
"""step_time.rs in PyTorch: DistributedDataParallel over gloo, the same models, batches of 128 in all, Adam, one thread a rank.

    torchrun --nproc-per-node 2 ddp.py mlp
    RANK=0 WORLD_SIZE=2 MASTER_ADDR=10.0.0.1 MASTER_PORT=29500 python ddp.py conv      # one a machine, with a RANK each

GLOO_SOCKET_IFNAME names the network's interface where there are several.
"""
import os, statistics, sys, time
import torch
from torch import nn
import torch.distributed as dist

BATCH, STEPS, ROUNDS = 128, 30, 7
kind = sys.argv[1] if len(sys.argv) > 1 else "mlp"
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
torch.manual_seed(0)
dist.init_process_group("gloo")
rank, ranks = dist.get_rank(), dist.get_world_size()
if kind == "mlp":
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10))
else:
    net = nn.Sequential(nn.Conv2d(1, 30, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4320, 100), nn.ReLU(), nn.Linear(100, 10))
net = nn.parallel.DistributedDataParallel(net, bucket_cap_mb=float(os.environ.get("BUCKET_MB", "25")))
adam = torch.optim.Adam(net.parameters(), lr=1e-4)
images, labels = torch.randn(BATCH * STEPS, 1, 28, 28), torch.randint(10, (BATCH * STEPS,))
loss, times = torch.zeros(()), []
for _ in range(ROUNDS):
    dist.barrier()
    start = time.perf_counter()
    order = torch.randperm(BATCH * STEPS)
    for batch in order.split(BATCH):
        mine = batch.chunk(ranks)[rank]
        adam.zero_grad()
        loss = nn.functional.cross_entropy(net(images[mine]), labels[mine])
        loss.backward()
        adam.step()
    times.append((time.perf_counter() - start) * 1e3 / STEPS)
if rank == 0:
    print(
        f"{kind}, {ranks} ranks x 1 shards, DDP over gloo: median {statistics.median(times):.2f} ms, least {min(times):.2f} ms a step; "
        f"last loss {loss.item()}"
    )
dist.destroy_process_group()
