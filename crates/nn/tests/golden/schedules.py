"""Records the learning rates of PyTorch's schedules, one line each: the name, then the rate at steps 0 to 29.

Needs torch (2.x). Run it in this directory: python schedules.py > schedules.txt
"""
import torch
from torch.optim import lr_scheduler as s

STEPS = 30
SCHEDULES = {
    "step": lambda o: s.StepLR(o, step_size=7, gamma=0.5),
    "multi_step": lambda o: s.MultiStepLR(o, milestones=[3, 10, 11], gamma=0.1),
    "exponential": lambda o: s.ExponentialLR(o, gamma=0.93),
    "cosine": lambda o: s.CosineAnnealingLR(o, T_max=STEPS - 1, eta_min=0.01),
    "one_cycle": lambda o: s.OneCycleLR(o, max_lr=0.5, total_steps=STEPS),
    "one_cycle_late": lambda o: s.OneCycleLR(o, max_lr=0.5, total_steps=STEPS, pct_start=0.6, div_factor=10, final_div_factor=100),
}


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)


for name, make in SCHEDULES.items():
    o = optimizer()
    schedule, rates = make(o), []
    for _ in range(STEPS):
        rates.append(float(o.param_groups[0]["lr"]))
        o.step()
        if len(rates) < STEPS:
            schedule.step()
    print(name, *map(repr, rates))

# The metric of each epoch, and the rate after it was seen.
METRICS = [5.0, 4.0, 4.1, 3.99999, 4.2, 4.0, 3.0, 3.5, 3.4, 3.3, 3.2, 3.1, 3.0, 2.9, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]
print("metrics", *map(repr, METRICS))
for name, options in {
    "plateau": dict(factor=0.5, patience=2),
    "plateau_cooldown": dict(factor=0.25, patience=1, cooldown=3, threshold=0.05, min_lr=0.01),
    "plateau_greatest": dict(mode="max", factor=0.5, patience=3),
}.items():
    o = optimizer()
    schedule, rates = s.ReduceLROnPlateau(o, **options), []
    for metric in METRICS:
        schedule.step(metric)
        rates.append(float(o.param_groups[0]["lr"]))
    print(name, *map(repr, rates))
