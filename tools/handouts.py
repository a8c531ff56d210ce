"The tool behind `make slides` and `make sheets`: what a teacher shows, and what students get on paper. Neither needs a network when it is opened."
import html, re, shutil, subprocess, sys, tarfile, tempfile
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter
from nbconvert.filters.markdown import markdown2html
from traitlets.config import Config

from cards import address, re_math, root
from student import exercises, nbs

reveal = '4.6.1'  # the newest that nbconvert's template is written for

def text(source):
    "Markdown with formulas as MathML, and links to the site"
    from math_core import LatexToMathML
    convert = LatexToMathML().convert_with_local_state
    code = re.split(r'(```.*?```|`[^`\n]+`)', source, flags=re.S)
    math = lambda m: convert(m[1] or m[2], displaystyle=bool(m[1])).replace('\n', ' ')
    source = ''.join(o if i%2 else re_math.sub(math, o) for i,o in enumerate(code))
    return re.sub(r'\]\((\w+)\.ipynb(#[\w.-]+)?\)', lambda m: f"]({address(m[1], m[2] or '')})", source)

def short(source):
    "What a slide shows of a cell: its heading, the first sentences, a list or a table; the rest is for the speaker"
    head, *blocks = re.split(r'\n\s*\n', source.strip())
    if '\n' in head: head, first = head.split('\n', 1); blocks.insert(0, first)
    kept, n = [head], 0
    for o in blocks:
        o = o.strip() if re.match(r'\s*([*\-|>]|\d\.|\$\$)', o) else ' '.join(re.split(r'(?<=[.?!:]) (?=[A-Z`*\[])', o.strip())[:2])
        n += len(o.split())
        if kept[1:] and n > 60: break
        kept.append(o)
    return '\n\n'.join(kept)

template = """{% extends 'index.html.j2' %}
{% block html_head_js %}{% endblock %}
{% block jupyter_widgets %}{% endblock %}
{% block html_head_js_mathjax %}{% endblock %}
{% block html_head_css %}<style>.reveal .slides section {text-align: left; height: 100%} .reveal .jp-RenderedSVG > *, .reveal .jp-RenderedImage img {width: 100% !important; height: auto !important; max-height: 490px; object-fit: contain; margin: 0} .reveal .jp-RenderedHTML:not(:has(table)) {zoom: 1.7} .reveal table, .reveal table * {font-size: 18px !important; line-height: 1.3}
.jp-InputPrompt, .jp-OutputPrompt, .anchor-link {display: none !important} .reveal h1, .reveal h2 {text-transform: none !important; font-size: 1.5em} .reveal pre {font-size: 20px; box-shadow: none; width: 100%; margin: 0}
.reveal .jp-RenderedHTMLCommon {font-size: 26px} .reveal math {font-size: 1.05em}</style>{% endblock %}
{% block footer_js %}<script src="reveal.js/dist/reveal.js"></script><script src="reveal.js/plugin/notes/notes.js"></script>
<script>Reveal.initialize({hash: true, slideNumber: true, width: 960, height: 700, transition: 'none', plugins: [RevealNotes]})</script>{% endblock %}"""

def slides_of(nb):
    "A notebook of the marked cells alone; code is left out where its picture says it, and what a cell says beyond its slide becomes notes"
    cells = []
    for c in nb.cells:
        if not c.metadata.get('slideshow'): continue
        if c.cell_type == 'markdown':
            c.source, whole = text(short(c.source)), c.source
            cells.append(c)
            if len(whole.split()) > len(c.source.split()) + 5: cells.append(nbformat.v4.new_markdown_cell(text(whole), metadata={'slideshow': {'slide_type': 'notes'}}))
        else:
            caption, code = re.search(r'^#\| *fig-cap: *"(.*)"', c.source, re.M), c.metadata['slideshow']['slide_type'] == '-'
            c.outputs = [o for o in c.outputs if code or o.output_type in ('display_data', 'execute_result')]
            if not code: c.metadata['tags'] = ['no-code']
            if caption: cells.append(nbformat.v4.new_markdown_cell(text(caption[1]), metadata={'slideshow': {'slide_type': 'subslide'}})); c.metadata['slideshow']['slide_type'] = '-'
            cells.append(c)
    nb.cells = cells
    return nb

def slide_page(path):
    "A notebook's slides as HTML, or nothing, where no cell is marked"
    nb = slides_of(nbformat.read(path, 4))
    if not nb.cells: return ''
    nb.metadata['title'] = path.stem
    config = Config(TagRemovePreprocessor=dict(enabled=True, remove_input_tags={'no-code'}))
    page, _ = SlidesExporter(raw_template=template, reveal_url_prefix='reveal.js', reveal_theme='white', config=config).from_notebook_node(nb)
    alts = iter([re.search(r'^#\| *fig-alt: *"(.*)"', c.source, re.M) for c in nb.cells if c.cell_type=='code' for o in c.outputs if any(k.startswith('image/') for k in o.get('data', {}))])
    return re.sub('No description has been provided for this image', lambda m: html.escape(alt[1]) if (alt := next(alts)) else '', page)

def slides(to=root/'_slides'):
    "Write a page of slides for each chapter with marked cells; their names"
    to.mkdir(exist_ok=True)
    if not (to/'reveal.js/dist').exists():
        with tempfile.TemporaryDirectory() as d:
            subprocess.run(['npm', 'pack', '--silent', f'reveal.js@{reveal}'], cwd=d, check=True, stdout=subprocess.DEVNULL)
            with tarfile.open(next(Path(d).glob('*.tgz'))) as f: f.extractall(d, filter='data')
            for o in ('dist', 'plugin/notes'): shutil.copytree(Path(d)/'package'/o, to/'reveal.js'/o)
            shutil.copy(Path(d)/'package/LICENSE', to/'reveal.js')
    done = []
    for path in sorted(nbs.glob('*.ipynb')):
        if not (page := slide_page(path)): continue
        (to/f'{path.stem}.html').write_text(page, encoding='utf-8')
        done.append(path.stem)
    return done

sheet = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}: exercises</title>
<style>body {{font: 11.5pt/1.45 Georgia, serif; max-width: 42em; margin: 2em auto; padding: 0 1em}} header {{display: flex; gap: 2em; justify-content: space-between; border-bottom: 1px solid; padding-bottom: .4em}}
section {{break-inside: avoid; margin-top: 1.5em}} .room {{height: {room}; background: repeating-linear-gradient(#fff 0 31px, #999 31px 32px)}} a {{color: inherit}} .anchor-link {{display: none}}
code {{font-size: .9em}} @page {{size: A4; margin: 18mm}} @media print {{body {{margin: 0; max-width: none}} * {{print-color-adjust: exact}}}}</style>
<header><b>{title}</b><span>Name ______________________</span></header>{tasks}<footer><p><small>{link}</small></p></footer></html>"""

def sheets(to=root/'_sheets'):
    "Write a page with the tasks of each chapter, and room for answers; [(name, number of tasks)]"
    to.mkdir(exist_ok=True)
    done = []
    for path in sorted(nbs.glob('*.ipynb')):
        nb = nbformat.read(path, 4)
        tasks = [nb.cells[i].source.partition('### Exercises')[2] or nb.cells[i].source for i,_ in exercises(nb)]
        if not tasks: continue
        title = next(m[1] for c in nb.cells if (m := re.search(r'^# (.+)', c.source, re.M)))
        body = ''.join(f'<section>{markdown2html(text(o.strip()))}<div class="room"></div></section>' for o in tasks)
        (to/f'{path.stem}.html').write_text(sheet.format(title=title, tasks=body, room='192px', link=address(path.stem)), encoding='utf-8')
        done.append((path.stem, len(tasks)))
    return done

if __name__ == '__main__':
    if sys.argv[1:] == ['slides']: print(f'wrote _slides: {len(slides())} chapters')
    elif sys.argv[1:] == ['sheets']: done = sheets(); print(f'wrote _sheets: {len(done)} chapters, {sum(n for _,n in done)} exercises')
    else: sys.exit('python tools/handouts.py slides|sheets')
