"""Encoders of Hugging Face that judge texts, and encoder-decoders that write them, as small random configurations."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from explorer.bench.families.family import Builder, Made
from explorer.bench.families.pretrained import VOCABULARY, Called, from_config, tokens
from explorer.sources.networks.hugging_face import TextModel

# What most configurations call these widths; others take no notice of them.
_SMALL: Mapping[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 96, "max_position_embeddings": 64, "num_labels": 3, "pad_token_id": 0, "bos_token_id": 2,
    "eos_token_id": 1, "use_cache": False,
}  # fmt: skip
_TRANSLATES: Mapping[str, Any] = {
    "vocab_size": VOCABULARY, "d_model": 48, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 96, "decoder_ffn_dim": 96, "max_position_embeddings": 64,
    "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 1, "decoder_start_token_id": 2, "use_cache": False,
}  # fmt: skip
_T5: Mapping[str, Any] = {
    "vocab_size": VOCABULARY, "d_model": 48, "d_kv": 12, "d_ff": 96, "num_layers": 2, "num_decoder_layers": 2,
    "num_heads": 4, "num_labels": 3, "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0,
    "use_cache": False,
}  # fmt: skip


_BY_SIDE = {key: value for key, value in _SMALL.items() if key != "num_hidden_layers"}


def _classifier(prefix: str, *, length: int = 12, **config: Any) -> Builder:
    return partial(_classifies, f"{prefix}ForSequenceClassification", length, {**_SMALL, **config})


def _classifies(kind: str, length: int, config: Mapping[str, Any]) -> Made:
    return TextModel(from_config(kind, **config)), tokens(length)


def _writer(kind: str, **config: Any) -> Builder:
    """An encoder-decoder that is given the same tokens on both sides."""
    return partial(_writes, kind, config)


def _writes(kind: str, config: Mapping[str, Any]) -> Made:
    def call(model: Any, ids: torch.Tensor) -> torch.Tensor:
        return model(input_ids=ids, decoder_input_ids=ids.flip(1), use_cache=False).logits

    return Called(from_config(kind, **config), call), tokens()


ENCODERS: dict[str, Builder] = {
    "bert": _classifier("Bert"),
    "roberta": _classifier("Roberta"),
    "distilbert": _classifier("DistilBert", dim=48, n_layers=2, n_heads=4, hidden_dim=96),
    "gpt2": _classifier("GPT2", n_embd=48, n_layer=2, n_head=4, n_positions=64),
    "t5": partial(_classifies, "T5ForSequenceClassification", 12, _T5),
    "albert": _classifier("Albert", embedding_size=32),
    "electra": _classifier("Electra", embedding_size=32),
    "deberta": _classifier("Deberta", relative_attention=True, pos_att_type=["c2p", "p2c"]),
    "deberta-v2": _classifier("DebertaV2", relative_attention=True, pos_att_type=["c2p", "p2c"], position_buckets=8),
    "mpnet": _classifier("MPNet"),
    "modernbert": _classifier("ModernBert"),
    "mobilebert": _classifier(
        "MobileBert", intra_bottleneck_size=32, embedding_size=24, true_hidden_size=32, intermediate_size=64,
        num_feedforward_networks=2,
    ),
    "squeezebert": _classifier("SqueezeBert", embedding_size=48),
    "funnel": partial(
        _classifies, "FunnelForSequenceClassification", 12,
        {"vocab_size": VOCABULARY, "block_sizes": [1, 1], "d_model": 48, "n_head": 4, "d_head": 12, "d_inner": 96,
         "num_labels": 3, "pad_token_id": 0},
    ),
    "longformer": _classifier("Longformer", attention_window=4),
    "big-bird": _classifier("BigBird", attention_type="original_full"),
    "big-bird-sparse": _classifier("BigBird", length=64, attention_type="block_sparse", block_size=4,
                                   num_random_blocks=1),
    "camembert": _classifier("Camembert"),
    "canine": _classifier("Canine", length=32, num_hash_buckets=64, local_transformer_stride=8, downsampling_rate=4),
    "convbert": _classifier("ConvBert", embedding_size=32),
    "data2vec-text": _classifier("Data2VecText"),
    "ernie": _classifier("Ernie"),
    "esm": _classifier("Esm", position_embedding_type="rotary", mask_token_id=3),
    "fnet": _classifier("FNet"),
    "ibert": _classifier("IBert"),
    "layoutlm": _classifier("LayoutLM"),
    "megatron-bert": _classifier("MegatronBert"),
    "nystromformer": _classifier("Nystromformer", num_landmarks=4, segment_means_seq_len=12),
    "rembert": _classifier("RemBert", input_embedding_size=24, output_embedding_size=32),
    "roformer": _classifier("RoFormer"),
    "roberta-prelayernorm": _classifier("RobertaPreLayerNorm"),
    "xlm": _classifier("XLM", emb_dim=48, n_layers=2, n_heads=4),
    "xlnet": partial(
        _classifies, "XLNetForSequenceClassification", 12,
        {"vocab_size": VOCABULARY, "d_model": 48, "n_layer": 2, "n_head": 4, "d_inner": 96, "num_labels": 3,
         "pad_token_id": 0},
    ),
    "xlm-roberta-xl": _classifier("XLMRobertaXL"),
    "yoso": _classifier("Yoso", use_expectation=True),
    "nomic-bert": _classifier("NomicBert"),
    "eurobert": _classifier("EuroBert", num_key_value_heads=2),
    "openai-gpt": _classifier("OpenAIGPT", n_embd=48, n_layer=2, n_head=4, n_positions=64),
    "ctrl": _classifier("CTRL", n_embd=48, n_layer=2, n_head=4, dff=96, n_positions=64),
    "t5-write": _writer("T5ForConditionalGeneration", **_T5),
    "t5-gated": _writer("T5ForConditionalGeneration", **_T5, feed_forward_proj="gated-gelu"),
    "mt5": _writer("MT5ForConditionalGeneration", **_T5),
    "umt5": _writer("UMT5ForConditionalGeneration", **_T5),
    "long-t5": _writer("LongT5ForConditionalGeneration", **_T5, local_radius=3),
    "switch": _writer("SwitchTransformersForConditionalGeneration", **_T5, num_experts=4, expert_capacity=32),
    "bart": _writer("BartForConditionalGeneration", **_TRANSLATES),
    "mbart": _writer("MBartForConditionalGeneration", **_TRANSLATES),
    "marian": _writer("MarianMTModel", **_TRANSLATES),
    "pegasus": _writer("PegasusForConditionalGeneration", **_TRANSLATES),
    "m2m-100": _writer("M2M100ForConditionalGeneration", **_TRANSLATES),
    "blenderbot": _writer("BlenderbotForConditionalGeneration", **_TRANSLATES),
    "plbart": _writer("PLBartForConditionalGeneration", **_TRANSLATES),
    "fsmt": _writer("FSMTForConditionalGeneration", **_TRANSLATES, src_vocab_size=100, tgt_vocab_size=100,
                    langs=["en", "de"]),
    "led": _writer("LEDForConditionalGeneration", **_TRANSLATES, attention_window=4,
                   max_encoder_position_embeddings=64, max_decoder_position_embeddings=64),
    "prophetnet": _writer("ProphetNetForConditionalGeneration", **_BY_SIDE, num_encoder_layers=2, num_decoder_layers=2,
                          num_encoder_attention_heads=4, num_decoder_attention_heads=4, encoder_ffn_dim=96,
                          decoder_ffn_dim=96, ngram=2, decoder_start_token_id=2),
}  # fmt: skip
