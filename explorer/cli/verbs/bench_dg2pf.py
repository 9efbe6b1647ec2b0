"""``bench dg2pf``: DG2PF, its ablations, and magnitude pruning."""

from argparse import ArgumentParser

from explorer.cli.console import Answer, table
from explorer.cli.options import Options, fractions, names, whole
from explorer.cli.tables import add_files, add_processes, asked, kept, processes, target
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--models", type=names, metavar="A,B,…", help="for example demo:vgg-digits")
    parser.add_argument("--tables", type=names, metavar="A,B,…", help="of s_e, s_sim, alpha, tau and methods")
    parser.add_argument("--sparsities", type=fractions, metavar="S,S,…", help="of table methods (default: 0.9,0.95)")
    parser.add_argument("--seeds", type=whole, metavar="N", help="runs of every line (default: 3)")
    parser.add_argument("--epochs", type=whole, metavar="N", help="of each of its two phases (default: 20)")
    parser.add_argument("--rates", type=fractions, metavar="R,R", help="of its two phases (default: 0.001,0.01)")
    add_processes(parser)
    add_files(parser)


@verb(
    "bench dg2pf",
    title="DG2PF",
    explanation="Ablate DG2PF, and compare it with magnitude pruning.",
    arguments=arguments,
    rank=173,
)
def dg2pf(options: Options, report: Report) -> Answer:
    from explorer.bench.dg2pf import HEADS, Grid, by_table, cells, markdown, tables
    from explorer.files import write_text

    out = target(options, HEADS)
    lines = tables(asked(Grid(), options), kept=kept(options), processes=processes(options), report=report)
    if out:
        write_text(out, markdown(lines))
    texts = [f"{title}\n{table(HEADS, map(cells, rows))}" for title, rows in by_table(lines)]
    return Answer({"lines": lines}, "\n\n".join(texts))
