"The tools behind `make execute`, `make readme` and `make docs`."
import hashlib, html, os, re, shutil, subprocess, sys, tempfile, time
from configparser import ConfigParser
from pathlib import Path

root = Path(__file__).resolve().parent.parent
ini = ConfigParser(delimiters=['=']); ini.read(root/'settings.ini', encoding='utf-8')
cfg = ini['DEFAULT']
nbs = root/cfg['nbs_path']
site = cfg['doc_host'] + cfg['doc_baseurl']
re_chapter = re.compile(r'(?<![\w/])\d\d_(\w+)\.ipynb')  # 07_bias.ipynb in a link of the book, not in a URL of another site
quarto = shutil.which('quarto')


def directives(cell):
    "Names of the `#|` lines of a code cell"
    return set(re.findall(r'^#\|\s*([\w-]+)', cell.source, re.M)) if cell.cell_type == 'code' else set()

def tidy(outputs):
    "Outputs without warnings, log lines, and what a finished progress bar leaves behind"
    res = []
    for o in outputs:
        data = o.get('data', {})
        if data.get('text/markdown', '').startswith('```html'): del data['text/markdown']  # fastprogress's HTML, as code
        left = re.sub(r'<style>.*?</style>|<progress.*?</progress>[^<]*|</?div>', '', data.get('text/html', '.'), flags=re.S)
        if left.strip() and o.get('name') != 'stderr': res.append(o)
    return res


def execute(*names):
    "Run notebooks in order and save their outputs; cells flagged in the environment variable SKIP keep those they have"
    import nbformat, torch
    from nbclient import NotebookClient
    skip = set(os.environ.get('SKIP', '').split()) | (set() if torch.cuda.is_available() else {'gpu'})

    class Client(NotebookClient):
        async def async_execute_cell(self, cell, cell_index, **kwargs):
            if directives(cell) & skip: return cell
            return await super().async_execute_cell(cell, cell_index, **kwargs)

    for path in [nbs/f'{Path(o).stem}.ipynb' for o in names] or sorted(nbs.glob('*.ipynb')):
        print(f'{path.stem} ...', end=' ', flush=True)
        nb, start = nbformat.read(path, 4), time.time()
        Client(nb, timeout=3600, kernel_name='python3', extra_arguments=['--log-level=ERROR'],
               resources={'metadata': {'path': str(nbs)}}).execute()
        secs = max(1, round(time.time() - start))
        for cell in nb.cells:
            if cell.cell_type == 'code': cell.outputs = tidy(cell.outputs)
            elif 'colab.research' in cell.source:
                cell.source = re.sub(r'about \d+ s to run', f'about {secs} s to run', cell.source)
                cell.source = re.sub(r'/github/[^"]*(?=/nbs/)', '/github/{user}/{repo}/blob/{branch}'.format(**cfg), cell.source)
        nbformat.write(nb, path)
        subprocess.run(['nbdev_clean', '--fname', str(path)], check=True)
        print(f'{secs} s', flush=True)


def stamp(body):
    "A comment that tells whether README.md still is what `make readme` wrote, from the index.ipynb there is now"
    made_from = hashlib.sha256((nbs/cfg['readme_nb']).read_bytes() + body.encode()).hexdigest()
    return f"<!-- made from {cfg['nbs_path']}/{cfg['readme_nb']} by `make readme`, do not edit: {made_from[:12]} -->\n"

def readme_is_fresh():
    body, _, last = (root/'README.md').read_text(encoding='utf-8').rpartition('<!-- made from')
    return '<!-- made from' + last == stamp(body)

def html_table(s):
    "A table in HTML, such as a DataFrame's, as Markdown"
    def text(cell): return html.unescape(re.sub(r'<[^>]+>', '', cell)).strip().replace('|', r'\|')
    rows = [[text(c) for c in re.findall(r'<t[hd]\b[^>]*>(.*?)</t[hd]>', r, re.S)] for r in re.findall(r'<tr\b.*?</tr>', s, re.S)]
    rows.insert(1, ['---'] * len(rows[0]))
    return '\n'.join(f"| {' | '.join(r)} |" for r in rows)

def to_markdown(path):
    "A notebook as Markdown: no hidden cells, no `#|` lines, tables as Markdown, figures in a folder beside README.md"
    import nbformat
    from nbconvert import MarkdownExporter
    nb = nbformat.read(path, 4)
    nb.metadata.language_info = {'name': 'python'}
    nb.cells = [c for c in nb.cells if not directives(c) & {'hide', 'default_exp'}]
    alt = {}
    for i,c in enumerate(nb.cells):
        if c.cell_type != 'code': continue
        if m := re.search(r'^#\|\s*fig-alt:\s*"(.*)"', c.source, re.M): alt[str(i)] = m[1]
        if re.search(r'^#\|\s*echo:\s*false', c.source, re.M): c.source = ''
        c.source = re.sub(r'^#\|.*\n?', '', c.source, flags=re.M)
        for o in c.outputs:
            if 'data' not in o or len(o.data) == 1: continue
            table = o.data.pop('text/html', '')
            if '<table' in table: o.data['text/markdown'] = html_table(table)
    exporter = MarkdownExporter(exclude_input_prompt=True, exclude_output_prompt=True)
    md, made = exporter.from_notebook_node(nb, dict(unique_key='figure', output_files_dir=f'{path.stem}_files'))
    for name,data in made['outputs'].items():
        (root/name).parent.mkdir(exist_ok=True)
        (root/name).write_bytes(data)
    md = re.sub(r'```python\n\s*```\n|^ +$', '', md, flags=re.M)
    return re.sub(r'!\[\w+\]\((\w+/figure_(\d+)_)', lambda m: f"![{alt.get(m[2], 'figure')}]({m[1]}", md)

def readme():
    "README.md from index.ipynb"
    if quarto:
        subprocess.run(['nbdev_readme'], check=True)
        md = (root/'README.md').read_text(encoding='utf-8')
    else: md = to_markdown(nbs/cfg['readme_nb'])
    md = re.sub(r'(\]\(|href=")(?:\d\d_)?(\w+)\.(?:ipynb|html)(?=[#)"])', rf'\1{site}/\2.html', md)
    md = re.sub(r'(\]\(|src=")(\w+\.svg)', rf'\1{cfg["nbs_path"]}/\2', md)
    md = re.sub(r'\n{3,}', '\n\n', md).strip() + '\n\n'
    (root/'README.md').write_text(md + stamp(md), encoding='utf-8')
    print('wrote README.md')


def docs():
    "The site, in the folder that settings.ini names"
    if quarto:
        subprocess.run(['nbdev_docs'], check=True)
        if not readme_is_fresh(): readme()  # nbdev_docs writes one of its own when index.ipynb is newer
        return
    from nbdev.quarto import refresh_quarto_yml
    from nbdev.serve import proc_nbs
    refresh_quarto_yml()
    out = root/cfg['doc_path']
    with tempfile.TemporaryDirectory() as tmp:
        src = Path(tmp)/'book'
        shutil.copytree(proc_nbs(force=True), src)  # afresh: a renamed chapter leaves no page behind
        for f in [*src.glob('*.ipynb'), *src.glob('*.yml')]:  # Quarto names a page by its front matter, smalldocs by its file
            text = re.sub(r'output-file: [\w.]+\\n', '', f.read_text(encoding='utf-8'))
            f.write_text(re_chapter.sub(r'\1.ipynb', text), encoding='utf-8')
            f.rename(src/re_chapter.sub(r'\1.ipynb', f.name))
        subprocess.run(['smalldocs', 'render', str(src)], check=True)
        shutil.rmtree(out, ignore_errors=True)
        shutil.move(src/out.name, out)
    print(f'wrote {out.name}/index.html')


if __name__ == '__main__':
    commands = dict(execute=execute, readme=readme, docs=docs)
    command, *args = sys.argv[1:] or ['']
    if command not in commands: sys.exit(f'usage: book.py {{{",".join(commands)}}} [notebook ...]')
    os.chdir(root)
    os.environ['PATH'] = f'{Path(sys.executable).parent}{os.pathsep}' + os.environ['PATH']
    commands[command](*args)
