"""Self-attention that survives cutting: `nn.MultiheadAttention` with its number of heads read off its weights.

This file stands alone: an exported bundle carries a copy of it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Batch-first self-attention with the state dict and the result of `nn.MultiheadAttention`.

    The fixed quantity is `head_dim`; a third of the rows of `in_proj_weight` over `head_dim` is the number of
    heads, so that whole heads can be cut. `in_proj_weight` is (3 · heads · head_dim, width): queries, keys, values.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0, bias: bool = True) -> None:
        super().__init__()
        self.head_dim = width // heads
        self.scale = self.head_dim**-0.5
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width)) if bias else None
        self.out_proj = nn.Linear(width, width, bias=bias)
        nn.init.xavier_uniform_(self.in_proj_weight)
        if bias:
            nn.init.zeros_(self.out_proj.bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = False,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, None]:
        """(batch, tokens, width) → the same, and None in place of the attention weights.

        Raises:
            ValueError: asked for anything but plain self-attention without a mask.
        """
        if any(other is not None and other is not query for other in (key, value)):
            raise ValueError("SelfAttention attends to its own input only")
        if need_weights or is_causal or key_padding_mask is not None or attn_mask is not None:
            raise ValueError("SelfAttention has no masks and gives no attention weights")
        batch, tokens = query.shape[:2]
        qkv = F.linear(query, self.in_proj_weight, self.in_proj_bias)
        q, k, v = (part.reshape(batch, tokens, -1, self.head_dim).transpose(1, 2) for part in qkv.chunk(3, dim=-1))
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=self.scale)
        return self.out_proj(y.transpose(1, 2).reshape(batch, tokens, -1)), None


def replace_attention(module: nn.Module) -> nn.Module:
    """Swaps every plain batch-first `nn.MultiheadAttention` inside `module` for a `SelfAttention`, in place.

    Weights are kept. Attention with other key or value widths, extra biases or sequence-first input stays as it is.
    """
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.MultiheadAttention) and _is_plain(child):
                setattr(parent, name, _converted(child))
    return module


def _is_plain(attention: nn.MultiheadAttention) -> bool:
    return (
        attention.batch_first
        and attention.in_proj_weight is not None
        and attention.bias_k is None
        and not attention.add_zero_attn
    )


def _converted(attention: nn.MultiheadAttention) -> SelfAttention:
    weight = attention.in_proj_weight
    new = SelfAttention(
        attention.embed_dim, attention.num_heads, attention.dropout, bias=attention.in_proj_bias is not None
    )
    new.to(device=weight.device, dtype=weight.dtype).train(attention.training)
    new.load_state_dict(attention.state_dict())
    return new
