"""Records what PyTorch's optimizers do with 100 recorded gradients.

Needs torch (2.x). Run it in this directory: python optimizers.py > optimizers.txt
Everything is computed in f64; gradients and first weights are f32 numbers, so that any engine can start from the same ones.
Lines: `start` and the weights (first the matrix [3, 4], then the vector [5]); `gradient` and the gradients of a step, 100
times; then for each optimizer its name, the number of the step, and the weights after it.
"""
import torch

STEPS, SHAPES, SHOWN = 100, [(3, 4), (5,)], (1, 2, 10, 100)
optim = torch.optim
OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, 0.05),
    "sgd_decay": lambda p: optim.SGD(p, 0.05, weight_decay=0.1),
    "sgd_momentum": lambda p: optim.SGD(p, 0.02, momentum=0.9, weight_decay=0.01),
    "sgd_dampening": lambda p: optim.SGD(p, 0.05, momentum=0.8, dampening=0.3),
    "sgd_nesterov": lambda p: optim.SGD(p, 0.02, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adagrad": lambda p: optim.Adagrad(p, 0.1),
    "adagrad_lr_decay": lambda p: optim.Adagrad(p, 0.1, lr_decay=0.05, weight_decay=0.02),
    "adadelta": lambda p: optim.Adadelta(p, 1.0),
    "adadelta_rho": lambda p: optim.Adadelta(p, 0.5, rho=0.95, weight_decay=0.02),
    "rmsprop": lambda p: optim.RMSprop(p, 0.01),
    "rmsprop_momentum": lambda p: optim.RMSprop(p, 0.002, alpha=0.9, momentum=0.7, weight_decay=0.02),
    "rmsprop_centered": lambda p: optim.RMSprop(p, 0.005, alpha=0.95, centered=True),
    "adam": lambda p: optim.Adam(p, 0.01),
    "adam_decay": lambda p: optim.Adam(p, 0.02, betas=(0.8, 0.99), weight_decay=0.05),
    "adamw": lambda p: optim.AdamW(p, 0.01),
    "adamw_decay": lambda p: optim.AdamW(p, 0.02, betas=(0.8, 0.99), weight_decay=0.5),
    "nadam": lambda p: optim.NAdam(p, 0.01),
    "nadam_decay": lambda p: optim.NAdam(p, 0.02, betas=(0.8, 0.99), weight_decay=0.05),
    # The vector has a fifth of the learning rate and no weight decay.
    "adamw_groups": lambda p: optim.AdamW(
        [{"params": p[:1], "lr": 0.02, "weight_decay": 0.3}, {"params": p[1:], "lr": 0.004, "weight_decay": 0.0}]
    ),
}


def show(*words):
    print(*[repr(float(x)) if isinstance(x, torch.Tensor) else x for x in words])


def flat(tensors):
    return torch.cat([t.detach().reshape(-1) for t in tensors])


torch.manual_seed(5)
start = [torch.randn(shape).double() for shape in SHAPES]
# Sizes from small to large, so that the rules that divide by them are seen to.
sizes = [10 ** torch.linspace(-2, 1, t.numel()).reshape(t.shape) for t in start]
gradients = [[(torch.randn(s.shape) * s + 0.3 * s).double() for s in sizes] for _ in range(STEPS)]
show("start", *flat(start))
for step in gradients:
    show("gradient", *flat(step))
for name, make in OPTIMIZERS.items():
    params = [torch.nn.Parameter(t.clone()) for t in start]
    optimizer = make(params)
    for step in range(STEPS):
        for param, gradient in zip(params, gradients[step]):
            param.grad = gradient.clone()
        optimizer.step()
        if step + 1 in SHOWN:
            show(name, step + 1, *flat(params))
