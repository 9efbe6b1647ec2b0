# docker build -t pruning-explorer . && docker run --rm -p 8501:8501 pruning-explorer
FROM python:3.12-slim

RUN useradd --create-home explorer
WORKDIR /home/explorer/app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY --chown=explorer:explorer app.py README.md ./
COPY --chown=explorer:explorer .streamlit .streamlit
COPY --chown=explorer:explorer assets assets
COPY --chown=explorer:explorer explorer explorer
COPY --chown=explorer:explorer pages pages
COPY --chown=explorer:explorer docs/scoreboard.jsonl docs/rivals.json docs/

USER explorer
# Served to others: paths typed into the browser are confined to this folder.
ENV EXPLORER_ROOTS=/home/explorer/data EXPLORER_RUNS=/home/explorer/runs PYTHONUNBUFFERED=1 OMP_WAIT_POLICY=PASSIVE
RUN mkdir -p /home/explorer/data /home/explorer/runs
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD python -c "import urllib.request as u; u.urlopen('http://localhost:8501/_stcore/health', timeout=4)"
CMD ["python", "-m", "explorer", "app", "--address", "0.0.0.0", "--port", "8501"]
