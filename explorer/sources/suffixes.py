"""How the names of files end that refs may name."""

TABLES = (".csv", ".tsv", ".txt", ".lst", ".json", ".jsonl", ".ndjson")
"""Of tables of labels and of texts."""
BESIDE_PICTURES = (*TABLES, ".yaml", ".yml", ".names", ".labels", ".xml")
"""Of files that may say what pictures show: tables, names of classes; annotations in .xml are told to be not read."""
WEIGHTS = (
    *(".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".pkl", ".pickle", ".tar", ".th", ".tch", ".torch"),
    *(".model", ".weights", ".params", ".state_dict", ".sft", ".chkpt", ".checkpoint"),
)
"""What training programs call their checkpoints; the content says what they are."""
