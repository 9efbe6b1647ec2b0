"""Small Hugging Face models with random weights, saved in folders as the hub serves them."""

from pathlib import Path

import torch

from explorer.sources.reading import reviews

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def text_folder(folder: Path, family: str = "Bert", head: str = "ForSequenceClassification", **config: object) -> Path:
    """A text model with a tokenizer of whole words, made for the reviews of `explorer.sources.data.sentences`."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = [*SPECIAL, *reviews.vocabulary()]
    inner = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        eos_token="[SEP]",
        model_max_length=32,
    )
    tokenizer.save_pretrained(folder)
    save(folder, family, head, vocab_size=len(words), pad_token_id=0, eos_token_id=3, **config)
    return folder


def save(folder: Path, family: str, head: str, **config: object) -> Path:
    """Any model with random weights from seed 0."""
    import transformers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = getattr(transformers, family + head)(getattr(transformers, f"{family}Config")(**config))
    model.save_pretrained(folder, safe_serialization=True)
    return folder


BERT = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "max_position_embeddings": 32,
}
SEGFORMER = {
    "hidden_sizes": [16, 24, 32, 48],
    "num_attention_heads": [1, 2, 2, 4],
    "depths": [1, 1, 1, 1],
    "decoder_hidden_size": 32,
    "sr_ratios": [2, 2, 1, 1],
    "patch_sizes": [3, 3, 3, 3],
    "strides": [2, 2, 2, 2],
    "image_size": 32,
}
