"""Decoders of Hugging Face that predict the next token, as small random configurations."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from explorer.bench.families.family import Builder, Made
from explorer.bench.families.pretrained import VOCABULARY, from_config

# What most configurations call these widths; others take no notice of them. Keys and values have two heads.
_SMALL: Mapping[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 96, "max_position_embeddings": 64,
    "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 1, "use_cache": False,
}  # fmt: skip
_EXPERTS: Mapping[str, Any] = {
    "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "moe_num_experts": 4, "num_experts_per_tok": 2,
    "moe_intermediate_size": 48, "shared_expert_intermediate_size": 56, "n_group": 1, "topk_group": 1,
    "n_shared_experts": 1, "first_k_dense_replace": 1,
}  # fmt: skip
# Latent attention: queries and keys have a part that turns with the position and one that does not.
_LATENT: Mapping[str, Any] = {
    "qk_rope_head_dim": 8, "qk_nope_head_dim": 16, "qk_head_dim": 24, "v_head_dim": 16, "head_dim": 8,
    "q_lora_rank": 24, "kv_lora_rank": 20, "num_key_value_heads": 4,
}  # fmt: skip
_MAMBA: Mapping[str, Any] = {"mamba_n_heads": 8, "mamba_d_head": 16, "mamba_d_state": 16, "mamba_n_groups": 1}


class LanguageModel(nn.Module):
    """A transformers decoder: int64 token ids (batch, length) → logits (batch, length, vocabulary)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor) -> Tensor:
        return self.model(input_ids=ids, use_cache=False, return_dict=True).logits


def _decoder(prefix: str, **config: Any) -> Builder:
    return partial(_made, f"{prefix}ForCausalLM", config)


def _made(kind: str, config: Mapping[str, Any]) -> Made:
    values = {**_SMALL, **_EXPERTS, **config}
    model = from_config(kind, **{key: value for key, value in values.items() if value is not ...})
    return LanguageModel(model), torch.randint(5, VOCABULARY, (2, 12))


DECODERS: dict[str, Builder] = {
    "llama": _decoder("Llama"),
    "llama-one-kv-head": _decoder("Llama", num_key_value_heads=1),
    "llama-tied": _decoder("Llama", tie_word_embeddings=True, attention_bias=True, mlp_bias=True),
    "mistral": _decoder("Mistral", sliding_window=8),
    "ministral": _decoder("Ministral"),
    "mixtral": _decoder("Mixtral"),
    "qwen2": _decoder("Qwen2"),
    "qwen2-moe": _decoder("Qwen2Moe"),
    "qwen3": _decoder("Qwen3"),
    "qwen3-moe": _decoder("Qwen3Moe"),
    "qwen3-next": _decoder(
        "Qwen3Next", linear_num_value_heads=4, linear_num_key_heads=2, linear_key_head_dim=16,
        linear_value_head_dim=16, layer_types=["linear_attention", "full_attention"],
    ),
    "gemma": _decoder("Gemma"),
    "gemma2": _decoder("Gemma2", query_pre_attn_scalar=16),
    "gemma3-text": _decoder("Gemma3", query_pre_attn_scalar=16),
    "vaultgemma": _decoder("VaultGemma"),
    "phi": _decoder("Phi"),
    "phi3": _decoder("Phi3"),
    "phimoe": _decoder("Phimoe"),
    "gpt2-lm": partial(_made, "GPT2LMHeadModel", {}),
    "gpt-neo": _decoder("GPTNeo", attention_types=[[["global", "local"], 1]], num_layers=2, window_size=8),
    "gpt-neox": _decoder("GPTNeoX"),
    "gpt-neox-japanese": _decoder("GPTNeoXJapanese"),
    "gptj": _decoder("GPTJ", rotary_dim=8),
    "gpt-bigcode": _decoder("GPTBigCode"),
    "gpt-oss": _decoder("GptOss"),
    "codegen": _decoder("CodeGen", rotary_dim=8),
    "opt": _decoder("OPT", ffn_dim=96, word_embed_proj_dim=64),
    "bloom": _decoder("Bloom"),
    "mpt": _decoder("Mpt", expansion_ratio=2, max_seq_len=64),
    "falcon": _decoder("Falcon", head_dim=..., num_kv_heads=1, multi_query=True),
    "falcon-alibi": _decoder("Falcon", head_dim=..., alibi=True, multi_query=False, parallel_attn=False, bias=True),
    "falcon-new": _decoder("Falcon", head_dim=..., num_kv_heads=2, new_decoder_architecture=True),
    "stablelm": _decoder("StableLm"),
    "starcoder2": _decoder("Starcoder2"),
    "olmo": _decoder("Olmo"),
    "olmo2": _decoder("Olmo2"),
    "olmo3": _decoder("Olmo3"),
    "olmoe": _decoder("Olmoe"),
    "cohere": _decoder("Cohere"),
    "cohere2": _decoder("Cohere2"),
    "glm": _decoder("Glm"),
    "glm4": _decoder("Glm4"),
    "glm4-moe": _decoder("Glm4Moe"),
    "granite": _decoder("Granite"),
    "granite-moe": _decoder("GraniteMoe"),
    "granite-moe-shared": _decoder("GraniteMoeShared", shared_intermediate_size=56),
    "persimmon": _decoder("Persimmon"),
    "biogpt": _decoder("BioGpt"),
    "xglm": _decoder("XGLM", d_model=64, ffn_dim=96, num_layers=2, attention_heads=4),
    "smollm3": _decoder("SmolLM3"),
    "ernie4-5": _decoder("Ernie4_5"),
    "exaone4": _decoder("Exaone4"),
    "helium": _decoder("Helium"),
    "nemotron": _decoder("Nemotron"),
    "seed-oss": _decoder("SeedOss"),
    "arcee": _decoder("Arcee"),
    "apertus": _decoder("Apertus"),
    "diffllama": _decoder("DiffLlama"),
    "bitnet": _decoder("BitNet"),
    "hunyuan-dense": _decoder("HunYuanDenseV1"),
    "dots1": _decoder("Dots1"),
    "modernbert-decoder": _decoder("ModernBertDecoder"),
    "roformer-lm": _decoder("RoFormer", is_decoder=True),
    "deepseek-v2": _decoder("DeepseekV2", **_LATENT),
    "deepseek-v3": _decoder("DeepseekV3", **_LATENT),
    "minicpm3": _decoder("MiniCPM3", **_LATENT),
    "mamba": _decoder("Mamba", state_size=8, time_step_rank=8),
    "mamba2": _decoder("Mamba2", num_heads=8, state_size=16, n_groups=1, chunk_size=8),
    "falcon-mamba": _decoder("FalconMamba", state_size=8, time_step_rank=8),
    "rwkv": _decoder("Rwkv", attention_hidden_size=64),
    "recurrent-gemma": _decoder("RecurrentGemma", lru_width=64, block_types=["recurrent", "attention"]),
    "jamba": _decoder(
        "Jamba", mamba_d_state=8, mamba_dt_rank=8, use_mamba_kernels=False, attn_layer_period=2, attn_layer_offset=1,
        expert_layer_period=2, expert_layer_offset=1,
    ),
    "bamba": _decoder("Bamba", **_MAMBA, attn_layer_indices=[1]),
    "lfm2": _decoder("Lfm2", layer_types=["conv", "full_attention"], block_auto_adjust_ff_dim=False),
    "xlstm": _decoder("xLSTM", num_heads=4),
}  # fmt: skip
