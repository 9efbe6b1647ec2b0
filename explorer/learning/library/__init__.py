"""The papers of the field, what they published, and the words of the pages: reading that leads back to the tools."""
