"""Export: take the pruned network along, with the proof that it computes the same."""

import streamlit as st

from explorer.ui import bundles, frame, jobs, session, tables, words

workspace = session.current()

PURPOSES = {
    "model.onnx": ("ONNX model", "Runs in onnxruntime and other runtimes; any batch size.", ":material/deployed_code:"),
    "weights.safetensors": ("Weights", "The cut network's tensors, for PyTorch.", ":material/database:"),
    "load.py": ("Loader", "Rebuilds the network from the weights without this project.", ":material/code:"),
    "plan.json": ("Plan", "Which channels were removed, in the original's numbering.", ":material/list_alt:"),
    "report.json": ("Report", "Everything measured, with spec and versions.", ":material/analytics:"),
    "README.md": ("Model card", "What it is and how to load it.", ":material/description:"),
}


def downloads(bundle) -> None:
    files = bundles.files(bundle)
    with st.grid(3, min_column_width=260):
        for name, (title, purpose, icon) in PURPOSES.items():
            if name in files:
                with st.container(border=True):
                    st.markdown(f"**{title}** · {words.size(files[name].stat().st_size)}")
                    st.caption(purpose)
                    st.download_button(
                        name,
                        files[name].read_bytes,
                        file_name=name,
                        on_click="ignore",
                        icon=icon,
                        key=f"download {name}",
                        mime="application/octet-stream",
                    )
    st.download_button(
        "Everything as one zip",
        lambda: bundles.zipped(bundle),
        file_name=f"{bundle.parent.name}.zip",
        mime="application/zip",
        on_click="ignore",
        type="primary",
        icon=":material/folder_zip:",
    )


def checks(result) -> None:
    """The comparisons that were made before the bundle was called done."""
    st.subheader("Checked before you download", anchor=False)
    for passed, sentence in bundles.checks(result):
        st.markdown(f":{'green' if passed else 'red'}[:material/{'check_circle' if passed else 'cancel'}:] {sentence}")


def how_to_load() -> None:
    st.subheader("How to load it", anchor=False)
    onnx, torch = st.tabs(["ONNX", "PyTorch"])
    onnx.code(bundles.ONNX_EXAMPLE, language="python")
    torch.code(bundles.TORCH_EXAMPLE, language="python")


frame.heading("Export", "The smaller network as files that others can use.", workspace)
job = jobs.find(workspace, "prune")
if job is None or job.state != "done":
    st.info("There is no pruned network yet. Prune one, and its files appear here.", icon=":material/content_cut:")
    st.page_link("pages/prune.py", label="Go to prune", icon=":material/arrow_forward:")
    st.stop()
result, bundle = job.result, bundles.folder(job)
base, pruned = result["base"], result["pruned"]
st.markdown(
    f"**{job.request['spec']['model']}**, cut to {pruned['macs'] / base['macs']:.0%} of its MACs and "
    f"{pruned['params'] / base['params']:.0%} of its parameters. Top-1 on test images: {tables.top1(pruned)}, "
    f"before {tables.top1(base)}."
)
downloads(bundle)
checks(result)
how_to_load()
