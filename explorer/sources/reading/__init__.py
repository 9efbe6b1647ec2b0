"""Reading data: pictures, texts and tables, from memory, folders and downloads."""
