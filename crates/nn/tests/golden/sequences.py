"""Golden values of recurrent layers, attention and transformer layers, from PyTorch's modules in double precision.

Needs torch (2.x). Run it in this directory: python sequences.py; it writes sequences.safetensors.
The tensors of a case are named "case|kind|name": weights (the module's state_dict), inputs, masks, outputs, cotangents of the
outputs, and gradients of sum(output * cotangent) by inputs and weights. The case's name says how the module is made.
Inputs and weights are multiples of 1/64, which single precision holds exactly; results are rounded to it.
"""

import json
import struct

import torch
from torch import nn

torch.manual_seed(2)
torch.set_default_dtype(torch.float64)
tensors = {}


def draw(*shape, scale=1.0):
    return (torch.randn(shape) * 64 * scale).round() / 64


def case(name, module, inputs, call, masks={}):
    """Runs the module on the named inputs; `call` gives the named outputs. `masks` is what it uses beside."""
    name = name.strip()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(draw(*parameter.shape, scale=0.5))
    inputs = {key: value.clone().requires_grad_() for key, value in inputs.items()}
    outputs = call(module, inputs)
    cotangents = {key: draw(*value.shape) for key, value in outputs.items()}
    sum((outputs[key] * cotangents[key]).sum() for key in outputs).backward()
    kinds = {
        "weights": module.state_dict(),
        "inputs": inputs,
        "masks": masks,
        "outputs": outputs,
        "cotangents": cotangents,
        "gradients": {key: p.grad for key, p in [*module.named_parameters(), *inputs.items()]},
    }
    for kind, named in kinds.items():
        for key, value in named.items():
            tensors[f"{name}|{kind}|{key}"] = value.detach().to(torch.float32).contiguous()


def words(**flags):
    return " ".join(key for key, value in flags.items() if value)


# Recurrent layers.
def sequences(lstm, states, batch_first, state, n, steps, inputs, hidden):
    values = {"x": draw(n, steps, inputs) if batch_first else draw(steps, n, inputs)}
    if state:
        for key in ["h0", "c0"] if lstm else ["h0"]:
            values[key] = draw(states, n, hidden)
    return values


def recurrent(kind, layers, bidirectional, bias, batch_first, state, n, steps, inputs, hidden):
    options = dict(num_layers=layers, bidirectional=bidirectional, bias=bias, batch_first=batch_first)
    module = {
        "tanh": lambda: nn.RNN(inputs, hidden, **options),
        "relu": lambda: nn.RNN(inputs, hidden, nonlinearity="relu", **options),
        "lstm": lambda: nn.LSTM(inputs, hidden, **options),
        "gru": lambda: nn.GRU(inputs, hidden, **options),
    }[kind]()
    values = sequences("lstm" in kind, layers * (1 + bidirectional), batch_first, state, n, steps, inputs, hidden)

    def call(module, values):
        start = (values["h0"], values["c0"]) if "c0" in values else values.get("h0")
        y, last = module(values["x"], start)
        return {"y": y, "h": last[0], "c": last[1]} if kind == "lstm" else {"y": y, "h": last}

    flags = words(bidirectional=bidirectional, no_bias=not bias, steps_first=not batch_first)
    case(f"{kind} {inputs} {hidden} {layers} {flags}", module, values, call)


for kind in ["tanh", "relu", "lstm", "gru"]:
    recurrent(kind, 1, False, True, True, False, n=3, steps=5, inputs=4, hidden=3)
    recurrent(kind, 2, True, True, True, True, n=2, steps=4, inputs=3, hidden=2)
    recurrent(kind, 3, False, False, False, True, n=2, steps=3, inputs=2, hidden=4)
    recurrent(kind, 1, True, True, False, True, n=1, steps=1, inputs=1, hidden=5)

# Cells.
for kind, make in {
    "tanh_cell": nn.RNNCell,
    "relu_cell": lambda *a, **b: nn.RNNCell(*a, nonlinearity="relu", **b),
    "lstm_cell": nn.LSTMCell,
    "gru_cell": nn.GRUCell,
}.items():
    for bias, state, inputs, hidden in [(True, True, 4, 3), (False, True, 1, 5), (True, False, 3, 1), (False, False, 2, 2)]:
        values = {"x": draw(3, inputs)}
        if state:
            values |= {key: draw(3, hidden) for key in (["h0", "c0"] if kind == "lstm_cell" else ["h0"])}

        def call(module, values):
            start = (values["h0"], values["c0"]) if "c0" in values else values.get("h0")
            last = module(values["x"], start)
            return {"h": last[0], "c": last[1]} if kind == "lstm_cell" else {"h": last}

        case(f"{kind} {inputs} {hidden} {words(no_bias=not bias)}", make(inputs, hidden, bias=bias), values, call)


# Attention. In both cases that have padding the last key of the first sequence is hidden.
def causal_mask(flags, queries, keys):
    return torch.ones(queries, keys).triu(1).bool() if "causal" in flags else None


def padding_mask(flags, n, keys):
    hidden = torch.zeros(n, keys, dtype=torch.bool)
    hidden[0, -1] = True
    return hidden if "padding" in flags else None


for heads, flags in [(1, ""), (2, "causal"), (3, "cross padding"), (2, "no_bias causal padding"), (2, "cross no_bias")]:
    n, steps, keys, size = 2, 3, 4 if "cross" in flags else 3, 6
    values = {"x": draw(n, steps, size)}
    if "cross" in flags:
        values |= {"memory": draw(n, keys, size), "values": draw(n, keys, size)}

    def call(module, values):
        x, memory = values["x"], values.get("memory", values["x"])
        y, weights = module(
            x, memory, values.get("values", memory), average_attn_weights=False,
            key_padding_mask=padding_mask(flags, n, keys), attn_mask=causal_mask(flags, steps, keys))
        return {"y": y, "weights": weights}

    module = nn.MultiheadAttention(size, heads, bias="no_bias" not in flags, batch_first=True)
    case(f"attention {size} {heads} {flags}", module, values, call)

# Transformer layers.
for flags in ["", "gelu causal", "norm_first", "gelu norm_first causal padding"]:
    n, steps, size, feedforward = 2, 4, 4, 5
    options = dict(dropout=0.0, activation="gelu" if "gelu" in flags else "relu", batch_first=True, norm_first="norm_first" in flags)
    mask, padding = causal_mask(flags, steps, steps), padding_mask(flags, n, steps)
    case(f"encoder {size} 2 {feedforward} {flags}", nn.TransformerEncoderLayer(size, 2, feedforward, **options),
         {"x": draw(n, steps, size)},
         lambda module, v: {"y": module(v["x"], src_mask=mask, src_key_padding_mask=padding)})
    # The padding is that of the memory.
    case(f"decoder {size} 2 {feedforward} {flags}", nn.TransformerDecoderLayer(size, 2, feedforward, **options),
         {"x": draw(n, 3, size), "memory": draw(n, steps, size)},
         lambda module, v: {"y": module(v["x"], v["memory"], tgt_mask=causal_mask(flags, 3, 3), memory_key_padding_mask=padding)})

# Recurrent layers on sequences of different lengths, packed.
def padded(kind, lengths, layers, bidirectional, bias, batch_first, state, steps, inputs, hidden):
    n = len(lengths)
    options = dict(num_layers=layers, bidirectional=bidirectional, bias=bias, batch_first=batch_first)
    module = {"padded_rnn": nn.RNN, "padded_lstm": nn.LSTM, "padded_gru": nn.GRU}[kind](inputs, hidden, **options)
    values = sequences("lstm" in kind, layers * (1 + bidirectional), batch_first, state, n, steps, inputs, hidden)

    def call(module, values):
        start = (values["h0"], values["c0"]) if "c0" in values else values.get("h0")
        packed = nn.utils.rnn.pack_padded_sequence(values["x"], lengths, batch_first, enforce_sorted=False)
        y, last = module(packed, start)
        y, _ = nn.utils.rnn.pad_packed_sequence(y, batch_first, total_length=steps)
        return {"y": y, "h": last[0], "c": last[1]} if kind == "padded_lstm" else {"y": y, "h": last}

    flags = words(bidirectional=bidirectional, no_bias=not bias, steps_first=not batch_first)
    own = ",".join(map(str, lengths))
    case(f"{kind} {inputs} {hidden} {layers} {own} {flags}", module, values, call)


for kind in ["padded_rnn", "padded_lstm", "padded_gru"]:
    padded(kind, [3, 5, 1], 1, False, True, True, False, steps=5, inputs=4, hidden=3)
    padded(kind, [2, 4, 1, 3], 2, True, True, True, True, steps=5, inputs=3, hidden=2)
    padded(kind, [4, 4, 2], 3, False, False, False, True, steps=4, inputs=2, hidden=4)
    padded(kind, [1, 3], 2, True, True, False, False, steps=3, inputs=1, hidden=5)
    padded(kind, [6, 2], 1, True, False, True, True, steps=6, inputs=3, hidden=1)

# LSTMs whose hidden state is projected; the last one on packed sequences.
def projected(layers, bidirectional, bias, batch_first, state, n, steps, inputs, hidden, size, lengths=None):
    options = dict(num_layers=layers, bidirectional=bidirectional, bias=bias, batch_first=batch_first, proj_size=size)
    values = {"x": draw(n, steps, inputs) if batch_first else draw(steps, n, inputs)}
    if state:
        values["h0"] = draw(layers * (1 + bidirectional), n, size)
        values["c0"] = draw(layers * (1 + bidirectional), n, hidden)

    def call(module, values):
        x = values["x"]
        if lengths:
            x = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first, enforce_sorted=False)
        y, last = module(x, (values["h0"], values["c0"]) if state else None)
        if lengths:
            y, _ = nn.utils.rnn.pad_packed_sequence(y, batch_first, total_length=steps)
        return {"y": y, "h": last[0], "c": last[1]}

    flags = words(bidirectional=bidirectional, no_bias=not bias, steps_first=not batch_first)
    kind = "padded_projected" if lengths else "projected"
    own = ",".join(map(str, lengths or []))
    case(f"{kind} {inputs} {hidden} {layers} {own} {flags} proj={size}", nn.LSTM(inputs, hidden, **options), values, call)


projected(1, False, True, True, False, n=3, steps=5, inputs=4, hidden=3, size=2)
projected(2, True, True, True, True, n=2, steps=4, inputs=3, hidden=4, size=3)
projected(3, False, False, False, True, n=2, steps=3, inputs=2, hidden=4, size=1)
projected(1, True, False, True, True, n=1, steps=2, inputs=1, hidden=5, size=4)
for lengths, size in [([3, 1], 2), ([1, 4, 2], 1), ([2, 2], 3), ([4], 2)]:
    projected(2, True, True, True, True, n=len(lengths), steps=4, inputs=3, hidden=4, size=size, lengths=lengths)

# Attention under general masks: `hidden` is 1 where a query does not see a key, `added` comes to the scores; both broadcast to
# [n, heads, queries, keys]. Every query sees the first key.
def general_masks(prefix, hidden, added):
    masks = {}
    if hidden:
        masks[prefix + "hidden"] = (torch.rand(hidden) < 0.4).double()
        masks[prefix + "hidden"][..., 0] = 0
    if added:
        masks[prefix + "added"] = draw(*added)
        masks[prefix + "added"][..., -1] = -torch.inf
    return masks


def attention_mask(masks, prefix, flags, shape):
    """As PyTorch takes it: of booleans if nothing is added, else of numbers; [queries, keys] or [n * heads, queries, keys]."""
    n, heads, queries, keys = shape
    hidden = torch.zeros(shape, dtype=torch.bool) | masks.get(prefix + "hidden", torch.zeros(1)).bool()
    if "causal" in flags:
        hidden |= causal_mask(flags, queries, keys)
    mask = hidden
    if prefix + "added" in masks:
        mask = (torch.zeros(shape) + masks[prefix + "added"]).masked_fill(hidden, -torch.inf)
    # A mask for all sequences and heads in its short form.
    return mask[0, 0] if (mask == mask[:1, :1]).all() else mask.reshape(n * heads, queries, keys)


for heads, flags, hidden, added in [
    (2, "hidden", (4, 4), None),
    (3, "added causal", None, (4, 4)),
    (2, "hidden cross padding", (2, 2, 3, 4), None),
    (3, "added padding", None, (3, 4, 4)),
    (2, "hidden added no_bias causal padding", (2, 1, 4, 4), (1, 2, 1, 4)),
]:
    n, steps, keys, size = 2, 3 if "cross" in flags else 4, 4, 6
    values = {"x": draw(n, steps, size)}
    if "cross" in flags:
        values |= {"memory": draw(n, keys, size), "values": draw(n, keys, size)}
    masks = general_masks("", hidden, added)

    def call(module, values):
        x, memory = values["x"], values.get("memory", values["x"])
        y, weights = module(
            x, memory, values.get("values", memory), average_attn_weights=False,
            key_padding_mask=padding_mask(flags, n, keys),
            attn_mask=attention_mask(masks, "", flags, (n, heads, steps, keys)))
        return {"y": y, "weights": weights}

    module = nn.MultiheadAttention(size, heads, bias="no_bias" not in flags, batch_first=True)
    case(f"attention {size} {heads} {flags}", module, values, call, masks)

# Transformer layers under them: `flags` name what the encoder and the decoder's attention to itself have; the memory has the
# same kinds. The padding of a decoder's own sequence is that of its last element too.
for flags in ["hidden", "added causal", "hidden padding", "gelu norm_first hidden added causal padding"]:
    n, heads, steps, keys, size, feedforward = 2, 2, 3, 4, 4, 5
    options = dict(dropout=0.0, activation="gelu" if "gelu" in flags else "relu", batch_first=True, norm_first="norm_first" in flags)
    masks = general_masks("", "hidden" in flags and (keys, keys), "added" in flags and (heads, keys, keys))
    case(f"encoder {size} {heads} {feedforward} masks {flags}", nn.TransformerEncoderLayer(size, heads, feedforward, **options),
         {"x": draw(n, keys, size)},
         lambda module, v: {"y": module(
             v["x"], src_mask=attention_mask(masks, "", flags, (n, heads, keys, keys)),
             src_key_padding_mask=padding_mask(flags, n, keys))}, masks)
    masks = general_masks("", "hidden" in flags and (n, 1, steps, steps), "added" in flags and (steps, steps))
    masks |= general_masks("memory_", "hidden" in flags and (steps, keys), "added" in flags and (heads, 1, keys))
    case(f"decoder {size} {heads} {feedforward} masks {flags}", nn.TransformerDecoderLayer(size, heads, feedforward, **options),
         {"x": draw(n, steps, size), "memory": draw(n, keys, size)},
         lambda module, v: {"y": module(
             v["x"], v["memory"], tgt_mask=attention_mask(masks, "", flags, (n, heads, steps, steps)),
             memory_mask=attention_mask(masks, "memory_", "", (n, heads, steps, keys)),
             tgt_key_padding_mask=padding_mask(flags, n, steps), memory_key_padding_mask=padding_mask(flags, n, keys))}, masks)

header, blobs, end = {}, [], 0
for name, tensor in tensors.items():
    blob = tensor.numpy().tobytes()
    header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [end, end + len(blob)]}
    blobs.append(blob)
    end += len(blob)
text = json.dumps(header, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)
with open("sequences.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
