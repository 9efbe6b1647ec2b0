"""Small networks for sequences, tables and graphs as they are written by hand, on torch's own layers."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.bench.families.family import CLASSES

TOKENS, NODES, VOCABULARY = 12, 7, 50


class Recurrent(nn.Module):
    """Tokens → the last (or mean) state of a recurrent layer → classes."""

    def __init__(self, layer: type[nn.RNNBase], **options: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 24)
        self.layer = layer(24, 32, batch_first=True, **options)
        width = options.get("proj_size", 32) * (1 + bool(options.get("bidirectional")))
        self.head = nn.Linear(width, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.layer(self.embedding(ids))[0].mean(1))


class Cell(nn.Module):
    """An LSTM cell that is called once a step, its state passed on by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.cell, self.head = nn.Embedding(VOCABULARY, 24), nn.LSTMCell(24, 32), nn.Linear(32, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:
        hidden = memory = torch.zeros(len(ids), self.cell.hidden_size, device=ids.device)
        for step in self.embedding(ids).unbind(1):
            hidden, memory = self.cell(step, (hidden, memory))
        return self.head(hidden)


class ConvLstm(nn.Module):
    """An LSTM whose gates are convolutions (Shi et al. 2015): (batch, time, 3, height, width) → classes."""

    def __init__(self) -> None:
        super().__init__()
        self.width = 16
        self.gates, self.head = nn.Conv2d(3 + 16, 4 * 16, 3, padding=1), nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        hidden = memory = x.new_zeros(len(x), self.width, *x.shape[3:])
        for step in x.unbind(1):
            enter, forget, leave, new = self.gates(torch.cat([step, hidden], 1)).chunk(4, 1)
            memory = forget.sigmoid() * memory + enter.sigmoid() * new.tanh()
            hidden = leave.sigmoid() * memory.tanh()
        return self.head(hidden.mean((2, 3)))


class Crnn(nn.Module):
    """Convolutions over a line of text, a recurrent layer along it (Shi et al. 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 20, 3, padding=1), nn.ReLU()
        )
        self.layer, self.head = nn.LSTM(20 * 8, 24, bidirectional=True, batch_first=True), nn.Linear(48, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(self.convs(x).permute(0, 3, 1, 2).flatten(2))[0])


class Encoder(nn.Module):
    """torch's own encoder layers: tokens → classes."""

    def __init__(self, **options: bool | str) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 32)
        self.positions = nn.Parameter(torch.randn(1, TOKENS, 32))
        self.sequence_first = not options.get("batch_first", True)
        layer = nn.TransformerEncoderLayer(32, 4, 48, **{"batch_first": True, **options})
        self.encoder, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(32, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids) + self.positions
        if self.sequence_first:
            return self.head(self.encoder(x.transpose(0, 1)).mean(0))
        return self.head(self.encoder(x).mean(1))


class Translator(nn.Module):
    """torch's own encoder and decoder, causal on the written side."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(VOCABULARY, 32), nn.Linear(32, VOCABULARY)
        self.transformer = nn.Transformer(32, 4, 2, 2, 48, batch_first=True)

    def forward(self, read: Tensor, written: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(written.shape[1], device=read.device)
        return self.head(self.transformer(self.embedding(read), self.embedding(written), tgt_mask=mask))


class Crossing(nn.Module):
    """Attention whose keys and values come from something of another width."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(1, 5, 32))
        self.inner, self.other = nn.Linear(10, 24), nn.Linear(10, 20)
        self.attention = nn.MultiheadAttention(32, 4, kdim=24, vdim=20, batch_first=True)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        queries = self.queries.expand(len(x), -1, -1)
        return self.head(self.attention(queries, self.inner(x), self.other(x), need_weights=False)[0].mean(1))


class Pooling(nn.Module):
    """A learnt query gathers the tokens, as SigLIP's pooling head does."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.query = nn.Linear(10, 32), nn.Parameter(torch.randn(1, 1, 32))
        self.attention, self.head = nn.MultiheadAttention(32, 4, batch_first=True), nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        return self.head(self.attention(self.query.expand(len(x), -1, -1), x, x)[0][:, 0])


class Fused(nn.Module):
    """One layer for queries, keys and values, its heads a number kept beside it (as in nanoGPT)."""

    def __init__(self, width: int, heads: int, *, causal: bool) -> None:
        super().__init__()
        self.n_head, self.n_embd, self.causal = heads, width, causal
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, _ = x.shape
        parts = self.c_attn(x).split(self.n_embd, dim=2)
        q, k, v = (p.view(batch, length, self.n_head, self.n_embd // self.n_head).transpose(1, 2) for p in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.c_proj(y.transpose(1, 2).contiguous().view(batch, length, self.n_embd))


class Block(nn.Module):
    def __init__(self, width: int, heads: int, *, causal: bool = True) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = Fused(width, heads, causal=causal)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class NanoGpt(nn.Module):
    """A decoder whose output is its embedding once more (Karpathy's nanoGPT)."""

    def __init__(self) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(VOCABULARY, 32), nn.Embedding(TOKENS, 32)
        self.h, self.ln_f = nn.ModuleList(Block(32, 4) for _ in "ab"), nn.LayerNorm(32)
        self.lm_head = nn.Linear(32, VOCABULARY, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, ids: Tensor) -> Tensor:
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1], device=ids.device))
        for block in self.h:
            x = block(x)
        return self.lm_head(self.ln_f(x))


class LinearAttention(nn.Module):
    """Attention without a softmax over tokens: keys meet values first (Katharopoulos et al. 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = 4
        self.enter, self.qkv, self.out = nn.Linear(10, 32), nn.Linear(32, 96), nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, _ = x.shape
        q, k, v = self.qkv(self.enter(x)).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = F.elu(q) + 1, F.elu(k) + 1
        context = torch.einsum("bhnd,bhne->bhde", k, v)
        scale = torch.einsum("bhnd,bhd->bhn", q, k.sum(2)).unsqueeze(-1)
        y = torch.einsum("bhnd,bhde->bhne", q, context) / scale
        return self.out(y.transpose(1, 2).reshape(batch, length, -1).mean(1))


class Experts(nn.Module):
    """Every token goes to the one of four small networks that a router likes best (Fedus et al. 2022)."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.router = nn.Linear(10, 32), nn.Linear(32, 4)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(32, 24), nn.ReLU(), nn.Linear(24, 32)) for _ in range(4))
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        weight, chosen = self.router(x).softmax(-1).max(-1)
        y = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            mine = chosen == number
            y[mine] = expert(x[mine])
        return self.head((x + weight.unsqueeze(-1) * y).mean(1))


class GatedConv(nn.Module):
    """Dilated causal convolutions with gates, and a skip from each (WaveNet, van den Oord et al. 2016)."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv1d(1, 16, 1)
        self.filters = nn.ModuleList(nn.Conv1d(16, 2 * 20, 2, dilation=2**i) for i in range(3))
        self.residual = nn.ModuleList(nn.Conv1d(20, 16, 1) for _ in range(3))
        self.skip = nn.ModuleList(nn.Conv1d(20, 24, 1) for _ in range(3))
        self.head = nn.Sequential(nn.ReLU(), nn.Conv1d(24, 24, 1), nn.ReLU(), nn.Conv1d(24, CLASSES, 1))

    def forward(self, x: Tensor) -> Tensor:
        x, total = self.enter(x), 0
        for i, (layer, residual, skip) in enumerate(zip(self.filters, self.residual, self.skip, strict=True)):
            first, second = layer(F.pad(x, (2**i, 0))).chunk(2, 1)
            y = first.tanh() * second.sigmoid()
            x, total = x + residual(y), total + skip(y)
        return self.head(total)


def temporal() -> nn.Module:
    """M5, for raw sound (Dai et al. 2017)."""
    return nn.Sequential(
        nn.Conv1d(1, 16, 16, 4), nn.BatchNorm1d(16), nn.ReLU(), nn.MaxPool1d(4),
        nn.Conv1d(16, 24, 3), nn.BatchNorm1d(24), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
        nn.Linear(24, CLASSES), nn.LogSoftmax(1),
    )  # fmt: skip


class SelectiveScan(nn.Module):
    """Mamba's block on torch alone: a state that forgets as its input says (Gu and Dao 2023)."""

    def __init__(self, width: int = 24, state: int = 4) -> None:
        super().__init__()
        inner = 2 * width
        self.enter, self.in_proj = nn.Linear(10, width), nn.Linear(width, 2 * inner)
        self.conv = nn.Conv1d(inner, inner, 3, padding=2, groups=inner)
        self.x_proj, self.dt_proj = nn.Linear(inner, 3 + 2 * state, bias=False), nn.Linear(3, inner)
        self.a_log = nn.Parameter(torch.arange(1.0, state + 1).log().repeat(inner, 1))
        self.d, self.state = nn.Parameter(torch.ones(inner)), state
        self.out_proj, self.head = nn.Linear(inner, width), nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x, gate = self.in_proj(self.enter(x)).chunk(2, -1)
        x = F.silu(self.conv(x.transpose(1, 2))[..., : x.shape[1]]).transpose(1, 2)
        step, b, c = self.x_proj(x).split([3, self.state, self.state], -1)
        step = F.softplus(self.dt_proj(step))
        decay = torch.exp(step.unsqueeze(-1) * -self.a_log.exp())
        enters = (step * x).unsqueeze(-1) * b.unsqueeze(2)
        state, outputs = torch.zeros_like(enters[:, 0]), []
        for i in range(x.shape[1]):
            state = decay[:, i] * state + enters[:, i]
            outputs.append((state * c[:, i].unsqueeze(1)).sum(-1))
        y = (torch.stack(outputs, 1) + self.d * x) * F.silu(gate)
        return self.head(self.out_proj(y).mean(1))


class GraphConvolution(nn.Module):
    """Nodes gather their neighbours along edges kept in a buffer (Kipf and Welling 2017): (batch, nodes, 8)."""

    def __init__(self, inner: int, outer: int, how: str) -> None:
        super().__init__()
        self.linear, self.how = nn.Linear(inner, outer), how
        start = torch.arange(NODES)
        self.register_buffer("source", torch.cat([start, start]))
        self.register_buffer("target", torch.cat([(start + 1) % NODES, (start + 3) % NODES]))

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x)
        sent = x[:, self.source] if self.how != "gather" else x.index_select(1, self.source)
        if self.how == "index_add":
            return torch.zeros_like(x).index_add(1, self.target, sent)
        target = self.target.view(1, -1, 1).expand_as(sent)
        if self.how == "amax":
            return torch.zeros_like(x).scatter_reduce(1, target, sent, "amax")
        return torch.zeros_like(x).scatter_add(1, target, sent)


class Graph(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.first, self.second = GraphConvolution(8, 24, how), GraphConvolution(24, 32, how)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.second(self.first(x).relu()).relu().mean(1))


class GraphAttention(nn.Module):
    """Attention along a given adjacency (Veličković et al. 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = 4
        self.linear, self.a, self.b = nn.Linear(8, 32), nn.Parameter(torch.randn(4, 8)), nn.Parameter(torch.randn(4, 8))
        self.head = nn.Linear(32, CLASSES)
        self.register_buffer("edges", torch.eye(NODES).roll(1, 0) + torch.eye(NODES) > 0)

    def forward(self, x: Tensor) -> Tensor:
        h = self.linear(x).view(*x.shape[:2], self.heads, -1)
        score = (h * self.a).sum(-1).unsqueeze(2) + (h * self.b).sum(-1).unsqueeze(1)
        weights = F.leaky_relu(score, 0.2).masked_fill(~self.edges[None, :, :, None], -math.inf).softmax(2)
        return self.head(torch.einsum("bijh,bjhd->bihd", weights, h).flatten(2).mean(1))


class Recommender(nn.Module):
    """Embeddings of categories and a tower of numbers that meet in pairs (DLRM, Naumov et al. 2019)."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(20, 16) for _ in range(3))
        self.tower = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 16))
        self.head = nn.Sequential(nn.Linear(16 + 6, 24), nn.ReLU(), nn.Linear(24, 1))

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        dense = self.tower(numbers)
        parts = torch.stack([dense, *(table(categories[:, i]) for i, table in enumerate(self.tables))], 1)
        pairs = (parts @ parts.transpose(1, 2)).flatten(1)[:, [1, 2, 3, 6, 7, 11]]
        return self.head(torch.cat([dense, pairs], 1))


class Field(nn.Module):
    """A scene as a network of a place in it, with waves of it in front and a skip (NeRF, Mildenhall et al. 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("waves", 2.0 ** torch.arange(4))
        self.first = nn.Sequential(nn.Linear(24, 32), nn.ReLU(), nn.Linear(32, 40), nn.ReLU())
        self.second = nn.Sequential(nn.Linear(40 + 24, 32), nn.ReLU())
        self.density, self.colour = nn.Linear(32, 1), nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        angles = (x.unsqueeze(-1) * self.waves).flatten(1)
        waves = torch.cat([angles.sin(), angles.cos()], 1)
        x = self.second(torch.cat([self.first(waves), waves], 1))
        return torch.cat([self.density(x), self.colour(x).sigmoid()], 1)


class Tabular(nn.Module):
    """Every column is a token (FT-Transformer, Gorishniy et al. 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(6, 32)), nn.Parameter(torch.randn(6, 32))
        self.token, self.head = nn.Parameter(torch.randn(1, 1, 32)), nn.Linear(32, CLASSES)
        self.blocks = nn.Sequential(Block(32, 4, causal=False), Block(32, 4, causal=False))

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.unsqueeze(-1) * self.weight + self.bias
        return self.head(self.blocks(torch.cat([self.token.expand(len(x), -1, -1), tokens], 1))[:, 0])


class Fourier(nn.Module):
    """Layers in the domain of frequencies (Li et al. 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.head = nn.Conv1d(3, 16, 1), nn.Conv1d(16, 2, 1)
        self.weight = nn.Parameter(0.2 * torch.randn(16, 16, 4, 2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        spectrum = torch.fft.rfft(x)
        kept = torch.einsum("bim,iom->bom", spectrum[..., :4], torch.view_as_complex(self.weight))
        return self.head(torch.fft.irfft(kept, n=x.shape[-1]).relu() + x)


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(20, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Dropout(), nn.Linear(48, 32), nn.SELU(),
                         nn.Linear(32, CLASSES))  # fmt: skip
