"The tools behind `make execute`, `make badges`, `make readme`, `make docs` and `make book`."
import hashlib, html, os, re, shutil, subprocess, sys, tempfile, time
from configparser import ConfigParser
from pathlib import Path
import pages

root = Path(__file__).resolve().parent.parent
ini = ConfigParser(delimiters=['=']); ini.read(root/'settings.ini', encoding='utf-8')
cfg = ini['DEFAULT']
nbs = root/cfg['nbs_path']
site = cfg['doc_host'] + cfg['doc_baseurl']
re_chapter = re.compile(r'(?<![\w/])\d\d_(\w+)\.ipynb')  # 07_bias.ipynb in a link of the book, not in a URL of another site
quarto = shutil.which('quarto')
chromium = os.environ.get('CHROMIUM') or next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)


def directives(cell):
    "Names of the `#|` lines of a code cell"
    return set(re.findall(r'^#\|\s*([\w-]+)', cell.source, re.M)) if cell.cell_type == 'code' else set()

def tidy(outputs):
    "Outputs without warnings, log lines, and what a finished progress bar leaves behind"
    res = []
    for o in outputs:
        data = o.get('data', {})
        if 'image/svg+xml' in data: data.pop('image/png', None)  # a figure; the PNG is for those that are too large as SVG (tools/figures.py)
        if data.get('text/markdown', '').startswith('```html'): del data['text/markdown']  # fastprogress's HTML, as code
        left = re.sub(r'<style>.*?</style>|<progress.*?</progress>[^<]*|</?div>', '', data.get('text/html', '.'), flags=re.S)
        if left.strip() and o.get('name') != 'stderr': res.append(o)
    return res


def execute(*names):
    "Run notebooks in order and save their outputs; cells flagged in the environment variable SKIP keep those they have"
    import nbformat, torch
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell
    os.environ['MPLBACKEND'] = 'module://matplotlib_inline.backend_inline'  # with another one in the environment, figures would be lost
    figures = f"__import__('runpy').run_path({str(root/'tools/figures.py')!r})['install']()"
    skip = set(os.environ.get('SKIP', '').split()) | (set() if torch.cuda.is_available() else {'gpu'})

    class Client(NotebookClient):
        async def async_execute_cell(self, cell, cell_index, **kwargs):
            if directives(cell) & skip: return cell
            return await super().async_execute_cell(cell, cell_index, **kwargs)

    for path in [nbs/f'{Path(o).stem}.ipynb' for o in names] or sorted(nbs.glob('*.ipynb')):
        print(f'{path.stem} ...', end=' ', flush=True)
        nb, start = nbformat.read(path, 4), time.time()
        nb.cells = [new_code_cell(figures), *nb.cells, new_code_cell("__import__('IPython.core.pylabtools').core.pylabtools.seconds")]
        Client(nb, timeout=3600, kernel_name='python3', extra_arguments=['--log-level=ERROR', "--InlineBackend.figure_formats={'svg', 'png'}"],
               resources={'metadata': {'path': str(nbs)}}).execute()
        secs = max(1, round(time.time() - start - float(nb.cells.pop().outputs[0]['data']['text/plain'])))
        del nb.cells[0]
        for cell in nb.cells:
            if cell.cell_type == 'code': cell.outputs = tidy(cell.outputs)
            elif pages.colab in cell.source: cell.source = re.sub(r'about \d+ s to run', f'about {secs} s to run', cell.source)
        pages.refresh(nb, path.stem, cfg)
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
        if any('class="cl-w"' in o.get('data', {}).get('text/html', '') for o in c.outputs):  # a demonstration: GitHub runs no script
            nb.cells[i] = nbformat.v4.new_markdown_cell(f'**[Rate them here]({site}/)**: the page answers at once.')
            continue
        if m := re.search(r'^#\|\s*fig-alt:\s*"(.*)"', c.source, re.M): alt[str(i)] = m[1]
        if re.search(r'^#\|\s*echo:\s*false', c.source, re.M): c.source = ''
        c.source = re.sub(r'^#\|.*\n?', '', c.source, flags=re.M)
        for o in c.outputs:
            if 'data' not in o or len(o.data) == 1: continue
            table = o.data.pop('text/html', '')
            if '<table' in table: o.data['text/markdown'] = html_table(table)
    exporter = MarkdownExporter(exclude_input_prompt=True, exclude_output_prompt=True)
    md, made = exporter.from_notebook_node(nb, dict(unique_key='figure', output_files_dir=f'{path.stem}_files'))
    shutil.rmtree(root/f'{path.stem}_files', ignore_errors=True)
    for name,data in made['outputs'].items():
        (root/name).parent.mkdir(exist_ok=True)
        (root/name).write_bytes(data)
    md = re.sub(r'```python\n\s*```\n|^ +$', '', md, flags=re.M)
    return re.sub(r'!\[\w+\]\((\w+/figure_(\d+)_)', lambda m: f"![{alt.get(m[2], 'figure')}]({m[1]}", md)

def readme():
    "README.md from index.ipynb"
    md = to_markdown(nbs/cfg['readme_nb'])
    md = re.sub(r'(\]\(|href=")(?:\d\d_)?(\w+)\.(?:ipynb|html)(?=[#)"])', rf'\1{site}/\2.html', md)
    md = re.sub(r'(\]\(|src=")(\w+\.(?:svg|png))', rf'\1{cfg["nbs_path"]}/\2', md)
    md = re.sub(r'\n{3,}', '\n\n', md).strip() + '\n\n'
    (root/'README.md').write_text(md + stamp(md), encoding='utf-8')
    print('wrote README.md')


def badges(*names):
    "Write the badge of every notebook, and the cell that installs the library on Colab, from settings.ini"
    import nbformat
    for path in [nbs/f'{Path(o).stem}.ipynb' for o in names] or sorted(nbs.glob('*.ipynb')):
        nb = nbformat.read(path, 4)
        if not pages.refresh(nb, path.stem, cfg): continue
        nbformat.write(nb, path)
        subprocess.run(['nbdev_clean', '--fname', str(path)], check=True)
        print(f'{path.stem}: new badge')


out = root/cfg['doc_path']
made = out/'.made-from'  # a hash of everything that the site is made from

def fingerprint():
    files = [o for folder in (nbs, root/cfg['lib_path'], root/'tools') for o in folder.rglob('*') if o.is_file() and o.name != 'nbdev.yml']
    files = sorted(o for o in files if '__pycache__' not in o.parts and '.ipynb_checkpoints' not in o.parts)
    h = hashlib.sha256()
    for o in [root/'settings.ini', root/'_quarto.yml', *files]: h.update(o.name.encode() + o.read_bytes())
    return h.hexdigest()

def docs(option=''):
    "The site, in the folder that settings.ini names: nbdev processes the notebooks, Quarto or smalldocs makes the pages"
    now = fingerprint()
    if option == '--if-changed' and made.exists() and made.read_text() == now: return
    from nbdev.quarto import refresh_quarto_yml
    from nbdev.serve import proc_nbs
    refresh_quarto_yml()
    # nbdev warns of cells that import and do something else. tests/test_project.py allows them only where that is right.
    os.environ['PYTHONWARNINGS'] = 'ignore:Found cells containing imports:UserWarning'
    with tempfile.TemporaryDirectory() as tmp:
        src = Path(tmp)/'book'
        shutil.copytree(proc_nbs(force=True), src)  # afresh: a renamed chapter leaves no page behind
        pages.prepare(src, cfg)
        if quarto: subprocess.run(['quarto', 'render', '--no-cache', '--no-execute'], cwd=src, check=True)
        else: smalldocs(src)
        pages.finish(src/out.name, nbs, cfg)
        shutil.rmtree(out, ignore_errors=True)
        shutil.move(src/out.name, out)
    made.write_text(now)
    print(f'wrote {out.name}/index.html')
    if not readme_is_fresh(): print(f"README.md is older than {cfg['readme_nb']}: run `make readme`")

def smalldocs(src):
    "Give smalldocs what it expects: files named as their pages, and no key that only Quarto reads"
    import yaml
    for f in [*src.glob('*.ipynb'), *src.glob('*.yml'), *src.glob('*.qmd')]:  # Quarto names a page by its front matter, smalldocs by its file
        text = re.sub(r'output-file: [\w.]+\\n', '', f.read_text(encoding='utf-8'))
        text = re_chapter.sub(r'\1.ipynb', text)
        f.write_text(re.sub(r'(href=\\")(\w+)\.ipynb', r'\1\2.html', text), encoding='utf-8')  # smalldocs leaves HTML in outputs as it is
        f.rename(src/re_chapter.sub(r'\1.ipynb', f.name))
    toc = yaml.safe_load((src/'_quarto.yml').read_text(encoding='utf-8'))
    page = toc['format']['html']
    for o in ('html-math-method', 'html-table-processing', 'respect-user-color-scheme', 'highlight-style', 'language', 'tabsets',
              'citations-hover', 'footnotes-hover', 'crossrefs-hover', 'code-annotations'): page.pop(o)
    page['theme'] = dict(light='default', dark='default')  # Bootstrap as it is: smalldocs compiles no Sass, and styles.css sets the colors
    (src/'_quarto.yml').write_text(yaml.safe_dump(toc, sort_keys=False, allow_unicode=True), encoding='utf-8')
    subprocess.run(['smalldocs', 'render', str(src)], check=True)

def book():
    "One file with everything inside; where Chromium is, a PDF of it; where Quarto is, whose Pandoc writes it, an EPUB"
    docs('--if-changed')
    path = pages.one_file(out, cfg)
    print(f'wrote {path.relative_to(root)}, {path.stat().st_size/1e6:.1f} MB')
    if chromium: pdf(path)
    else: print('No PDF: that takes Chromium on the PATH, or in the environment variable CHROMIUM.')
    if not quarto: return print('No EPUB: that takes Quarto, whose Pandoc writes it.')
    subprocess.run(['quarto', 'pandoc', '--from', 'html', '--to', 'epub3', '--mathml', '--toc', '--metadata', f"title={cfg['title']}", '--metadata', f"author={cfg['author']}",
                    '--metadata', 'lang=en', '--epub-cover-image', str(out/'card.png'), '--output', str(path.with_suffix('.epub'))],
                   input=pages.for_epub(path.read_text(encoding='utf-8')), text=True, check=True)
    print(f"wrote {path.with_suffix('.epub').relative_to(root)}")

def pdf(path):
    "Print the one-file book to a PDF beside it: once to learn on which page each chapter begins, and again with these numbers in its table of contents"
    to, text = path.with_suffix('.pdf'), path.read_text(encoding='utf-8')
    try: import pypdf
    except ImportError: print_page(path, to); return print(f'wrote {to.relative_to(root)}; without pypdf its table of contents has no page numbers')
    with tempfile.TemporaryDirectory() as tmp:
        numbers, page = {}, Path(tmp)/path.name
        for _ in range(3):  # numbers could push a chapter to another page
            page.write_text(pages.with_page_numbers(text, numbers), encoding='utf-8')
            print_page(page, to)
            found = pypdf.PdfReader(to)
            now = {k.removeprefix('/'): found.get_destination_page_number(d) + 1 for k,d in found.named_destinations.items()}
            if now == numbers: break
            numbers = now
    print(f'wrote {to.relative_to(root)}, {len(found.pages)} pages, {to.stat().st_size/1e6:.1f} MB')

def print_page(path, to):
    "A page as PDF, as a browser prints it: header, page numbers and margins are in styles.css, the outline is made of the headings"
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run([chromium, '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
                        '--disable-component-update', '--disable-sync', f'--user-data-dir={profile}', '--generate-pdf-document-outline', '--no-pdf-header-footer',
                        f'--print-to-pdf={to}', path.resolve().as_uri()], check=True, capture_output=True, timeout=900)

def server(port=0):
    "A server of the site as GitHub Pages would serve it: under the same path, compressed, and with the 404 page"
    import gzip, io
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
    base = cfg['doc_baseurl']
    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args): pass
        def do_GET(self):
            if self.path.split('?')[0].split('#')[0] in ('/', base):
                self.send_response(302); self.send_header('Location', f'{base}/'); self.end_headers()
            else: super().do_GET()
        def translate_path(self, path): return super().translate_path(path[len(base):] if path.startswith(f'{base}/') else '/no such page')
        def send_head(self):
            path = Path(self.translate_path(self.path))
            if path.is_dir() and self.path.split('?')[0].endswith('/'): path = path/'index.html'
            if 'gzip' not in self.headers.get('Accept-Encoding', '') or path.suffix not in ('.html', '.css', '.js', '.json', '.svg') or not path.is_file(): return super().send_head()
            body = gzip.compress(path.read_bytes(), 6)
            self.send_response(200); self.send_header('Content-Type', self.guess_type(path)); self.send_header('Content-Encoding', 'gzip')
            self.send_header('Content-Length', str(len(body))); self.end_headers()
            return io.BytesIO(body)
        def send_error(self, code, message=None, explain=None):
            body = (out/'404.html').read_bytes()
            self.send_response(code); self.send_header('Content-Type', 'text/html'); self.send_header('Content-Length', str(len(body))); self.end_headers()
            if self.command != 'HEAD': self.wfile.write(body)
    return ThreadingHTTPServer(('127.0.0.1', port), lambda *args: Handler(*args, directory=str(out)))

def serve(port='8000'):
    "Show the site on this machine"
    import webbrowser
    s = server(int(port))
    address = f"http://localhost:{s.server_port}{cfg['doc_baseurl']}/"
    print(f'{address}  (Ctrl-C ends it)')
    webbrowser.open(address)
    try: s.serve_forever()
    except KeyboardInterrupt: pass


if __name__ == '__main__':
    commands = dict(execute=execute, badges=badges, readme=readme, docs=docs, serve=serve, book=book)
    command, *args = sys.argv[1:] or ['']
    if command not in commands: sys.exit(f'usage: book.py {{{",".join(commands)}}} [notebook ...]')
    os.chdir(root)
    os.environ['PATH'] = f'{Path(sys.executable).parent}{os.pathsep}' + os.environ['PATH']
    commands[command](*args)
