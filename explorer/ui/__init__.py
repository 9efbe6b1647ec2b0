"""What the pages share: workspaces, charts, wording; the only package that knows Streamlit."""
