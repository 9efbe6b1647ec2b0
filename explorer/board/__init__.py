"""The board: heatmap, sliders and network in one picture, which answers while a hand drags; in app and notebook."""
