"""The recoveries that are compared on one plan."""

RECOVERY_STAGES = {"none": "as cut", "bn": "recalibrated", "reconstruct": "repaired", "finetune": "fine-tuned"}
"""What the network is called after each of them, from the quickest to the longest; each starts from the cut network."""
