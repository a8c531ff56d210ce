"What every page of the site needs and neither builder (Quarto, smalldocs) gives: before it runs, in the notebooks; after it, in the pages."
import ast, base64, hashlib, html, json, re, shutil, struct
from pathlib import Path

import yaml

colab = 'https://colab.research.google.com/github'
re_link = re.compile(r'(?<!!)\[([^\]]*)\]\((\w+\.ipynb)[^)]*\)')  # a link to another notebook of the book
long_cell = 24  # lines: longer code folds


# the notebooks: badges, and what installs the library on Colab

def words(cells): return sum(len(re.sub(r'```.*?```|<[^>]+>', '', c.source, flags=re.S).split()) for c in cells if c.cell_type == 'markdown')

def badge(name, cells, secs, cfg):
    "The line under a title: run it, keep it, and how long that takes; all addresses come from settings.ini"
    at = '{user}/{repo}/{{}}{branch}/{nbs_path}/{{}}.ipynb'.format(**cfg)
    code = sum(c.cell_type == 'code' and 'google.colab' not in c.source for c in cells)
    mins = max(3, round(words(c for c in cells if colab not in c.source)/200 + code*.15))
    return (f'<a href="{colab}/{at.format("blob/", name)}"><img src="colab.svg" alt="Open in Colab"/></a> '
            f'[Download the notebook](https://raw.githubusercontent.com/{at.format("", name)}) · *{mins} minutes to read, about {secs} s to run.*')

def installer(cfg):
    "The first code cell of a chapter. On Colab it fetches the library; anywhere else it does nothing."
    return f"#| hide\nimport sys\nif 'google.colab' in sys.modules:\n    %pip install -q git+{cfg['git_url']}@{cfg['branch']}"

def refresh(nb, name, cfg):
    "Bring the badge and the installing cell of a notebook up to date; returns whether anything changed"
    before, cells = json.dumps(nb), nb['cells']
    for c in cells:  # links to the repository
        if c.cell_type == 'markdown': c.source = re.sub(rf"https://github\.com/[\w.-]+/{cfg['repo']}(?![\w-])", cfg['git_url'], c.source)
    old = next((c for c in cells if c.cell_type == 'markdown' and colab in c.source), None)
    title = next((c for c in cells if c.cell_type == 'markdown' and c.source.startswith('# ')), None)
    if not (re.match(r'\d\d_', name) and title): return json.dumps(nb) != before
    secs = re.search(r'about (\d+) s to run', old.source if old else '')
    if old is title:  # nbdev turns the title's cell into front matter, so the badge needs one of its own
        title.source, old = old.source.partition('<a href="' + colab)[0].rstrip(), None
    if old is None:
        old = type(title)(cell_type='markdown', id=hashlib.sha256(name.encode()).hexdigest()[:8], metadata=type(nb.metadata)(), source='')
        cells.insert(cells.index(title) + 1, old)
    old.source = badge(name, cells, secs[1] if secs else 10, cfg)
    install = next((c for c in cells if c.cell_type == 'code' and 'google.colab' in c.source), None)
    if install is None:
        install = type(title)(cell_type='code', id=hashlib.sha256(f'{name} install'.encode()).hexdigest()[:8], metadata=type(nb.metadata)(),
                              source='', execution_count=None, outputs=[])
        cells.insert(0, install)
    install.source = installer(cfg)
    return json.dumps(nb) != before


# the glossary and the references

def glossary(path):
    "{spelling: (anchor, first sentence)} of every term in the glossary: its `##` heading, and the spellings behind `Also:`"
    if not path.exists(): return {}
    terms, text = {}, '\n\n'.join(c.source for c in _read(path).cells if c.cell_type == 'markdown')
    for head,body in re.findall(r'^## ([^\n]+)\n+(.*?)(?=^## |\Z)', text, re.M|re.S):
        also = re.match(r'\*Also: (.*?)\.\*\s*', body)
        plain = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', body[also.end() if also else 0:]).replace('`', '').replace('*', '').replace('"', '”')
        first = re.match(r'.*?[.](?=\s|$)', ' '.join(plain.split()))[0]
        for o in [head, *(also[1].split(', ') if also else [])]: terms[o.lower()] = re.sub(r'[^\w\s-]', '', head).lower().replace(' ', '-'), first
    return terms

_skip = r'```.*?```|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]*\$|!?\[[^\]]*\]\([^)]*\)|<summary>.*?</summary>|<a\b.*?</a>|<[^>]*>|https?://\S+|^\#.*?$|^[ ]{4}.*?$'

# A spelling is not a sense. In these phrases a term of the glossary means something else and is not linked ...
other_senses = [
    r'(?:mixed|double|single|half|full|machine|numerical|floating[- ]point)[- ]precision', r'is a precision|precision (?:matri\w+|parameters?)',  # of numbers, of a Gaussian
    r'(?:Cholesky|QR|LU) factorizations?|factorization machines?',
    r'layers?[’\']s? bias(?:es)?|bias(?:es)? of (?:ordinary|linear|its|the) layers?|(?:inductive|selection|popularity|exposure|position|sampling|statistical) bias(?:es)?',
    r'batch norm\w*|batch(?:es)? of small Gaussians|BatchNorm\w*',
    r'[“"]?sparse[”"]? (?:gradients?|optimizers?|blocks?|embeddings?)',
    r'prior (?:to|work|art|knowledge)', r'held out (?:a|the|his|her|their) hands?', r'loss(?:es)? of (?:precision|accuracy|information|generality)',
]
# ... and these terms mean what the glossary says only, or everywhere but, on these pages.
only_on = {'precision': {'ranking', 'evaluation', 'neighbors', 'two_towers', 'sequences', 'comparison', 'scale'}}
not_on = {'long-tail': {'interpretation'}}

def link_terms(text, terms, seen, page=''):
    "Link the first use of each term on a page to the glossary, in the glossary's sense. Code, math, headings, links and lists of references stay as they are."
    if not terms: return text
    text, heading, references = text.partition('## References')
    if heading and (not text or text.endswith('\n')): return link_terms(text, terms, seen, page) + heading + references
    text += heading + references
    any_term = '|'.join(sorted(map(re.escape, terms), key=len, reverse=True)).replace(r'\ ', r'[\s-]').replace(r'\-', r'[\s-]?')
    def one(m):
        if not m['term']: return m[0]
        key = re.sub(r'[\s-]+', ' ', m['term'].lower())
        anchor,first = terms.get(key) or terms.get(key.replace(' ', '-')) or next(v for k,v in terms.items() if re.sub(r'[\s-]', '', k) == re.sub(r'[\s-]', '', key))
        if anchor in seen or page not in only_on.get(anchor, {page}) or page in not_on.get(anchor, ()): return m[0]
        seen.add(anchor)
        return f'[{m["term"]}](glossary.ipynb#{anchor}){{.term title="{first}"}}'
    return re.sub(rf'(?P<skip>{_skip}|{"|".join(other_senses)})|(?<![\w-])(?P<term>{any_term})(?![\w-])', one, text, flags=re.M|re.S|re.I)

def bibliography(path):
    "[{key, author, title, year, where, doi, eprint}] of references.bib, sorted by author"
    tidy = lambda s: re.sub(r'\\"\{?(\w)\}?', lambda m: {'a': 'ä', 'o': 'ö', 'u': 'ü'}[m[1]], s).replace('{', '').replace('}', '').replace('--', '–')
    entries = []
    for kind,key,body in re.findall(r'^@(\w+)\{(\S+?),\n(.*?)^\}', path.read_text(encoding='utf-8'), re.M|re.S):
        e = {k.lower(): ' '.join(v.split()) for k,v in re.findall(r'(\w+)\s*=\s*\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}', body)}
        entries.append({k: v if k in ('doi', 'eprint', 'url') else tidy(v) for k,v in e.items()} | dict(kind=kind, key=key))
    return sorted(entries, key=lambda e: (e['author'].lower(), e['year']))

def reference(e):
    "One entry as Markdown, with its DOI, arXiv number or address"
    names = ', '.join(' '.join(reversed(o.split(', ', 1))) for o in e['author'].split(' and ')).replace(', others', ' and others')
    where = e.get('journal') or e.get('booktitle') or e.get('publisher') or e.get('howpublished') or ''
    if e.get('volume'): where += f" {e['volume']}" + (f"({e['number']})" if e.get('number') else '')
    if e.get('pages'): where += f", {e['pages']}"
    links = [f"[doi:{e['doi']}](https://doi.org/{e['doi']})"] if e.get('doi') else []
    if e.get('eprint'): links.append(f"[arXiv:{e['eprint']}](https://arxiv.org/abs/{e['eprint']})")
    if e.get('url') and not links: links.append(f"[{e['url'].split('//')[1].split('/')[0]}]({e['url']})")
    return ' '.join([f"{names} ({e['year']}).", f"*{e['title']}.*", *([where + '.'] if where else []), *([', '.join(links) + '.'] if links else [])])

def identifiers(text): return {o.lower().rstrip('.') for o in re.findall(r'doi\.org/([^)\s]+\)?[^)\s]*)\)|arxiv\.org/abs/([\w./-]+)', text) for o in o if o}

def references_page(src, chapters):
    "A page with everything in references.bib, and the chapters that cite it"
    cited = {}
    for p,title in chapters.items():
        text = '\n'.join(c.source for c in _read(src/p).cells if c.cell_type == 'markdown')
        for o in identifiers(text): cited.setdefault(o, []).append(f'[{title}]({p})')
    lines = []
    for e in bibliography(src/'references.bib'):
        by = list(dict.fromkeys(cited.get(e.get('doi', '').lower(), []) + cited.get(e.get('eprint', ''), [])))
        lines.append(f"- []{{#{e['key']}}}{reference(e)}" + (f" Cited in {', '.join(by)}." if by else ''))
    return '---\ntitle: References\nimage: card.png\nsearch: false\ndescription: Every paper and book that the chapters lean on, and which chapter does.\n---\n\n' + '\n'.join(lines) + '\n'


# before the builder: processed notebooks

def _read(path):
    import nbformat
    return nbformat.read(path, 4)

def prepare(src, cfg):
    "Complete the processed notebooks in `src`, and its _quarto.yml, for either builder"
    import nbformat
    toc = yaml.safe_load((src/'_quarto.yml').read_text(encoding='utf-8'))
    web, there = toc['website'], {p.name for p in src.iterdir()} | {'references.qmd'}
    web['navbar']['tools'] = [dict(icon='github', href=cfg['git_url'], text='Source on GitHub')]
    part = {}  # notebook -> (part, number)
    for o in web['sidebar']['contents']:
        if 'section' not in o: continue
        o['contents'] = [c for c in o['contents'] if c['href'] in there]  # a chapter may be planned, and not written yet
        for c in o['contents']:
            number = int(c['href'][:2]) if c['href'][:2].isdigit() else 0
            part[c['href']] = o['section'], number if 0 < number < 90 else None
    web['sidebar']['contents'] = [o for o in web['sidebar']['contents'] if o.get('contents') or o.get('href') in there]
    (src/'_quarto.yml').write_text(yaml.safe_dump(toc, sort_keys=False, allow_unicode=True), encoding='utf-8')
    terms, titles = glossary(src/'glossary.ipynb'), {}
    for path in sorted(src.glob('*.ipynb')):
        nb, seen = _read(path), set()
        nb.cells = [c for c in nb.cells if not re.match(r'#\|\s*default_exp', c.source)]  # Quarto takes every `#|` line for YAML
        head = next(c for c in nb.cells if c.cell_type == 'raw')
        meta = yaml.safe_load(head.source.strip().strip('-'))
        titles[path.name] = meta['title']
        where,number = part.get(path.name, ('', None))
        if number: meta['subtitle'] = f'Chapter {number} · {where.partition(" · ")[2]}'
        meta.setdefault('image', 'card.png')  # otherwise Quarto takes the first picture of the page: the badge
        head.source = f'---\n{yaml.safe_dump(meta, allow_unicode=True)}---\n'
        for c in nb.cells:
            if c.cell_type != 'markdown': continue
            if c.source.startswith('## References'): seen.update(a for a,_ in terms.values())
            c.source = re_link.sub(lambda m: m[0] if m[2] in there else m[1], c.source)
            if colab in c.source: c.source = _badge_line(c.source) + _scoreboard(cfg, path.name)
            elif path.stem not in ('index', 'glossary'): c.source = link_terms(c.source, terms, seen, path.stem[3:])
        nb.cells = [o for c in _imports_later(nb.cells) for o in (_shown(c) if c.cell_type == 'code' else [c])]
        nbformat.write(nb, path)
    (src/'references.qmd').write_text(references_page(src, {p: t for p,t in titles.items() if re.match(r'\d\d_', p)}), encoding='utf-8')

def _md(source):
    from nbformat.v4 import new_markdown_cell
    return new_markdown_cell(source)

def _html(s):
    "HTML that a builder passes on as it is"
    fence = '`'*max(3, 1 + max(map(len, re.findall('`+', s)), default=0))
    return f'{fence}{{=html}}\n{s}\n{fence}'

def _badge_line(s):
    "The line under a title, on the site: the notebook is here, and two depths to read the page in (book.js)"
    s = re.sub(r'\[([^]]*)\]\((https://raw\.githubusercontent\.com/[^)]*/\d\d_\w+\.ipynb)\)', r'<a href="\2">\1</a>', s)
    s = re.sub(r'\*([^*]+)\*', r'<em>\1</em>', s)
    s = re.sub(r'<a (href="[^"]*")><img [^>]*alt="([^"]*)"[^>]*></a>', r'<a class="colab" \1>\2</a>', s)
    depths = ''.join(f'<button type="button" data-depth="{o.lower()}" title="{why}">{o}</button>'
                     for o,why in [('Story', 'Text, results, and the code that tells the story'), ('Code', 'Imports, tests and cards of exported names, too')])
    return _html(f'<p class="badge-line">{s} <span class="depth" role="group" aria-label="How much to show">{depths}</span></p>')

# Part II, in order: the chapter, its model's name in results/lesson.json, and what the strip calls it
scores = [('04_dot_product.ipynb', 'DotProduct', 'dot product'), ('06_sigmoid_range.ipynb', 'DotProductWithRange', '+ range'), ('07_bias.ipynb', 'DotProductBias', '+ bias'),
          ('08_weight_decay.ipynb', 'DotProductBias-wd', '+ weight decay'), ('09_custom_embedding.ipynb', 'DotProductBiasCustom-wd', 'own embedding')]
# A chapter that trains another one's model
trains = {'05_training.ipynb': '04_dot_product.ipynb'}

def _scoreboard(cfg, name):
    "At the head of each chapter of Part II: the validation loss that each model ends with, in both draws of ratings, mean of all seeds, this chapter's lit"
    path = Path(__file__).resolve().parent.parent/cfg['nbs_path']/'results/lesson.json'
    lit = trains.get(name, name)
    if lit not in {o for o,_,_ in scores} or not path.exists(): return ''
    last = {}
    for o in sorted(json.loads(path.read_text(encoding='utf-8')), key=lambda o: o['epoch']): last.setdefault(o['model'], {})[o['seed']] = o['valid_loss']
    if {k for _,m,_ in scores for k in (m, f'{m}-once')} - set(last): return ''
    def page(o): return re.sub(r'^\d\d_|\.ipynb$', '', o) + '.html'
    def mean(model): return f'{sum(last[model].values())/len(last[model]):.3f}'
    def one(o, model, text):
        text = f'<span>{text}</span>' if o == name else f'<a href="{page(o)}">{text}</a>'
        here = ' class=here aria-current=true' if o == lit else ''
        return f'<li{here}>{text} <span><b>{mean(model + "-once")}</b> once</span> <span>{mean(model)} notes’ draw</span></li>'
    n = len(last[scores[0][1]])
    says = f'Validation loss after training, mean of {n} seeds. Once: every rating once an epoch, as the chapters train. Notes’ draw: with replacement, as the original notes train.'
    return '\n\n' + _html(f'<ol class="scores" aria-label="{says}" title="{says}">{"".join(one(*o) for o in scores)}</ol>')

def _is_imports(c):
    lines = [o for o in c.source.splitlines() if o.strip() and not o.startswith('#')]
    return c.cell_type == 'code' and bool(lines) and not c.get('outputs') and all(re.match(r'(import|from)\s|[\s)]', o) for o in lines)

def _is_checks(c):
    "A cell of nothing but tests, which shows nothing"
    if c.get('outputs'): return False
    try: body = ast.parse(c.source).body
    except SyntaxError: return False
    def check(o):
        if isinstance(o, ast.With): return any('expect' in ast.unparse(w).lower() or 'raises' in ast.unparse(w) for w in o.items)
        if isinstance(o, ast.For): return all(map(check, o.body))
        return isinstance(o, ast.Assert) or isinstance(o, ast.Expr) and isinstance(o.value, ast.Call) and ast.unparse(o.value.func).startswith('test_')
    return bool(body) and all(map(check, body))

def _imports_later(cells):
    "A sentence before the imports: where a page begins with imports, they move behind its first paragraph"
    first = next((i for i,c in enumerate(cells) if c.cell_type == 'code' and c.source.strip()), None)
    if first is None or not _is_imports(cells[first]): return cells
    def prose(block): return not re.match(r'\s*([#<|!>`:]|$)', block)
    for i,c in enumerate(cells):
        if c.cell_type != 'markdown': continue
        blocks = c.source.split('\n\n')
        k = next((j for j,o in enumerate(blocks) if prose(o)), None)
        if k is None: continue
        if i < first: return cells
        around = [_md('\n\n'.join(o)) for o in (blocks[:k+1], blocks[k+1:]) if o]
        return cells[:first] + cells[first+1:i] + [around[0], cells[first], *around[1:]] + cells[i+1:]
    return cells

def _shown(c):
    "The cells that a code cell becomes: it may fold, and tell by a class around it what it is for (styles.css and book.js read that)"
    if 'show_doc(' in c.source and c.source.startswith('#| '): return [_card(c)]
    for o in c.get('outputs', []):  # Quarto answers HTML outputs with require.js and jQuery, from elsewhere
        if 'text/html' in o.get('data', {}): o['data'] = {'text/markdown': _html(''.join(o['data']['text/html']))}
    lines = [o for o in c.source.splitlines() if not o.startswith('#|')]
    summary = re.search(r'^#\|\s*code-summary:\s*["\']?(.*?)["\']?\s*$', c.source, re.M)
    folded = re.search(r'^#\|\s*code-fold:\s*true', c.source, re.M)
    def within(name, *cells): return [_md(f'::::: {{.{name}}}'), *cells, _md(':::::')]
    def fold(how, what): c.source = f'#| code-fold: {how}\n#| code-summary: "{what}"\n{c.source}'
    if folded and summary and re.search('solution|answer', summary[1], re.I):  # an answer hides what it prints, too
        c.source = re.sub(r'^#\|\s*code-(fold|summary):.*\n', '', c.source, flags=re.M)
        return [_md(_html(f'<details class="answer"><summary>{html.escape(summary[1])}</summary>')), c, _md(_html('</details>'))]
    if _is_imports(c):
        c.source = re.sub(r'^#\|\s*code-(fold|summary):.*\n', '', c.source, flags=re.M)
        fold('true', 'Imports')
        return within('imports', c)
    if folded: return within('plumbing', c)
    if 'Markdown(chapter_map())' in c.source: return within('map', c)
    if re.search(r'^(bet|quiz)\(', c.source, re.M) and 'echo' not in c.source: c.source = f'#| echo: false\n{c.source}'  # the code gives the answer away
    if 'code-fold' in c.source or re.search(r'^#\|\s*echo:\s*false', c.source, re.M): return [c]
    if _is_checks(c): return within('checks', c)
    if len(lines) > long_cell:
        if re.search(r'^(def|class) ', c.source, re.M): fold('show', f'Code, {len(lines)} lines')
        else:
            fold('true', f'Code, {len(lines)} lines')
            return within('plumbing', c)
    return [c]

def _card(c):
    "nbdev documents an exported name under its source: there, the signature is said already"
    md = ''.join(next(o['data']['text/markdown'] for o in c.outputs if 'text/markdown' in o.get('data', {})))
    md = re.sub(r'^---\n+', '', md)
    return _md('::::: {.exported}\n\n' + re.sub(r'```python\n.*?```\n*', '', md, count=1, flags=re.S) + '\n\n:::::')


# after the builder: finished pages

def _mathml(s, page):
    "TeX as MathML: it needs no script, no font from elsewhere, and can be read aloud"
    from math_core import LatexToMathML, LatexError
    convert = LatexToMathML(annotation=True).convert_with_local_state
    def one(m):
        try: return f'<span class="math {m[1]}">{convert(html.unescape(m[2]), displaystyle=m[1]=="display")}</span>'
        except LatexError as e: raise SystemExit(f'{page}: this is no TeX that math_core knows: {m[2]}\n{e}') from None
    return re.sub(r'<span class="math (inline|display)">\\[([](.*?)\\[)\]]</span>', one, s, flags=re.S)

def _size(data):
    "(width, height) of a PNG"
    return struct.unpack('>II', data[16:24]) if data[:8] == b'\x89PNG\r\n\x1a\n' else None

def layouts(nbs):
    "{fingerprint of a figure's SVG: the same figure drawn for a phone} of all notebooks (tools/figures.py)"
    outputs = [o for p in nbs.glob('*.ipynb') for c in _read(p).cells if c.cell_type == 'code' for o in c.outputs]
    both = [(o['data'].get('image/svg+xml'), o['metadata'].get('image/svg+xml', {}).get('narrow')) for o in outputs if 'data' in o]
    return {_print(wide): narrow for wide,narrow in both if wide and narrow}

def _print(svg): return hashlib.sha256(''.join(svg.split()).encode()).hexdigest()[:10]

def _svg_size(svg):
    "(width, height) in pixels of an SVG in points, as matplotlib writes it"
    m = re.search(r'<svg\b[^>]*?\bwidth="([\d.]+)pt" height="([\d.]+)pt"', svg)
    return tuple(round(float(o)*4/3) for o in m.groups()) if m else None

def _hints(svg, prefix):
    "A figure that says what its marks are: it becomes part of the page, and each mark can be pointed at or focused (book.js)"
    svg = re.sub(r'(\bid="|href="#|url\(#)(?!point: )', rf'\g<1>{prefix}-', svg[svg.index('<svg'):])
    svg = re.sub(r'<g id="point: ([^"]*)"', r'<g class="point" tabindex="0" role="img" aria-label="\1"', svg)
    return re.sub(r'<svg ', '<svg role="group" ', svg, count=1)

def _figures(s, out, stem, narrow):
    "Pictures inside a page become files beside it: the page is there at once, and keeps the room they need. A phone gets a layout of its own."
    def file(text, kind):
        data = text if isinstance(text, bytes) else text.encode()
        name = f'figures/{stem}-{hashlib.sha256(data).hexdigest()[:10]}.{kind}'
        (out/'figures').mkdir(exist_ok=True)
        (out/name).write_bytes(data)
        return name
    def inline(m):  # as smalldocs has them
        alt, svg = re.match(r'<svg alt="([^"]*)"', m[0]), re.sub(r'^<svg alt="[^"]*"', '<svg', m[0])
        return f'<img alt="{alt[1] if alt else ""}" src="{file(svg, "svg")}">'
    s = re.sub(r'<svg\b[^>]*>(?:(?!</?svg\b).)*?<g id="figure_1">.*?</svg>', inline, s, flags=re.S)
    s = re.sub(r'src="data:image/(png|svg)(?:\+xml)?;base64,([^"]+)"', lambda m: f'src="{file(base64.b64decode(m[2]), m[1])}"', s)
    def one(m):
        tag, path = m[0], re.search(r'src="([^":]+\.(png|svg))"', m[0])
        if ' alt=' not in tag: tag = tag.replace('<img ', '<img alt="" ', 1)
        if not path or not (out/path[1]).is_file(): return tag
        svg = (out/path[1]).read_text(encoding='utf-8') if path[2] == 'svg' else ''
        size, small = _svg_size(svg) if svg else _size((out/path[1]).read_bytes()), narrow.get(_print(svg))
        if not size: return tag
        tag = re.sub(r' (?:width|height|style)="[^"]*"', '', tag).replace('<img ', f'<img width="{size[0]}" height="{size[1]}" loading="lazy" decoding="async" ', 1)
        if '"point: ' in svg:
            alt, cls = re.search(r' alt="([^"]*)"', tag)[1], 'wide' if small else ''
            both = [(svg, cls)] + ([(small, 'narrow')] if small else [])
            return '<div class="pointing">' + ''.join(_hints(o, f'{_print(o)}').replace('<svg ', f'<svg class="{c}" aria-label="{alt}" ', 1) for o,c in both) + '</div>'
        if not small: return tag
        w, h = _svg_size(small)
        return f'<picture><source media="(max-width: 600px)" srcset="{file(small, "svg")}" width="{w}" height="{h}">{tag}</picture>'
    return re.sub(r'<img [^>]*>', one, s)

def _accessible(s):
    "What axe finds in both builders' markup, and a way past the header for those who tab"
    s = re.sub(r'(<body\b[^>]*>)', r'\1<a class="skip" href="#title-block-header">Skip to the text</a>', s, count=1)
    s = re.sub(r' role="navigation" aria-expanded', ' role="button" tabindex="0" aria-expanded', s)   # links that fold a section
    s = re.sub(r'(<i [^>]*?) role="img"', r'\1 aria-hidden="true"', s)                                 # icons beside their words
    s = s.replace('<a onclick="window.scrollTo(0, 0); return false;" role="button"', '<a tabindex="0" onclick="window.scrollTo(0, 0); return false;" role="button"')
    s = s.replace('<nav id="quarto-sidebar"', '<nav aria-label="Chapters" id="quarto-sidebar"').replace('<nav id="TOC"', '<nav aria-label="On this page" id="TOC"')
    s = s.replace('<nav class="page-navigation"', '<nav aria-label="Previous and next" class="page-navigation"')
    return s

def _lighter(s):
    "Without what no page uses: the icon fonts (styles.css draws the icons), notes on hover, and colors of code (styles.css has those of either builder)"
    s = re.sub(r'<link\b[^>]*/(?:bootstrap-icons[\w./-]*|tippy)\.css"[^>]*>\n?|<script\b[^>]*/tippy[\w.]*\.js"[^>]*></script>\n?', '', s)
    return re.sub(r'(<link\b[^>]*href=")[^"]*/quarto-syntax-highlighting[^"]*"', r'\1data:text/css,"', s)

def _plain(m): return m[1] + re.sub(r'[`*]', '', m[2]) + m[3]

def finish(out, nbs, cfg):
    "Make the built pages work without a network and for everybody, whichever builder they come from"
    sources = {re.sub(r'^\d\d_', '', p.stem): p.name for p in nbs.glob('*.ipynb')}
    (out/'notebooks').mkdir(exist_ok=True)
    for p in nbs.glob('[0-9]*.ipynb'): shutil.copy(p, out/'notebooks')
    narrow = layouts(nbs)
    for path in sorted(out.glob('*.html')):
        s = path.read_text(encoding='utf-8')
        if 'smalldocs' in s[:400]: s = _from_smalldocs(s, path.name, sources, cfg)
        s = _lighter(_reader_button(_accessible(_figures(s, out, path.stem, narrow))))
        s = re.sub(r'(<meta (?:name|property)="(?:og:|twitter:)?description" content=")([^"]*)(")', _plain, s)
        s = re.sub(r'href="https://raw\.githubusercontent\.com/[^"]*/(\d\d_\w+\.ipynb)"', r'download href="notebooks/\1"', s)
        if path.name == '404.html': s = re.sub(r'(href|src)="(?![a-z]+:|/|#|")(?:\./)?', rf'\1="{cfg["doc_baseurl"]}/', s)
        path.write_text(s, encoding='utf-8')
    _search(out/'search.json')
    (out/'llms.txt').write_text(llms_txt(out, cfg), encoding='utf-8')

def _from_smalldocs(s, page, sources, cfg):
    "What Quarto does by itself: formulas, and links to the source under its own name"
    s = re.sub(r'<(?:link|script)[^>]*/katex@[^>]*>(?:</script>)?', '', _mathml(s, page))
    s = re.sub(rf'(/{cfg["branch"]}/(?:{cfg["nbs_path"]}/)?)(\w+)\.ipynb(?=" class="toc-action)',
               lambda m: f'/{cfg["branch"]}/{cfg["nbs_path"]}/{sources.get(m[2], m[2] + ".ipynb")}', s)
    return s

def _reader_button(s):
    "Beside the switch of colors, one that leaves only the text (book.js). Quarto's own only fades the chapter list, which can still be clicked."
    button = '<a class="{} book-reader" role="button" tabindex="0" aria-pressed="false" title="Reader mode: only the text"><i class="bi bi-book" aria-hidden="true"></i></a>'
    if 'smalldocs' in s[:400]: return re.sub(r'(?=<li class="nav-item compact"><a class="quarto-color-scheme-toggle)', f'<li class="nav-item compact">{button.format("nav-link")}</li>', s, count=1)
    return re.sub(r'(?=<a [^>]*class="quarto-color-scheme-toggle quarto-navigation-tool)', button.format('quarto-navigation-tool px-1'), s, count=1)

def _search(path):
    "A search finds a chapter, and not the paper that it cites: lists of references are left out"
    found = json.loads(path.read_text(encoding='utf-8'))
    kept = [o for o in found if not re.search(r'references(\.html|$)|#references', o.get('href', ''))]
    path.write_text(json.dumps(kept, ensure_ascii=False), encoding='utf-8')

def llms_txt(out, cfg):
    "The pages, what each is about, and where it is, for machines that read (llmstxt.org)"
    lines = [f"# {cfg['title']}", '', f"> {cfg['description']}", '', '## Pages', '']
    for path in sorted(out.glob('*.html')):
        title, about = (re.search(o, path.read_text(encoding='utf-8'), re.S) for o in ('<h1 class="title"[^>]*>(.*?)</h1>', '<meta name="description" content="([^"]*)"'))
        if title and path.stem not in ('404', 'book'): lines.append(f"- [{re.sub(r'<[^>]+>', '', title[1])}]({cfg['doc_host']}{cfg['doc_baseurl']}/{path.name})" + (f': {about[1]}' if about else ''))
    return html.unescape('\n'.join(lines)) + '\n'


# one file

def one_file(out, cfg):
    "The whole book in one HTML file that needs no other: pictures, styles and scripts are inside"
    s = (out/'index.html').read_text(encoding='utf-8')
    sidebar = re.search(r'<nav[^>]* id="quarto-sidebar".*?</nav>', s, re.S)[0]
    order = list(dict.fromkeys(re.findall(r'href="(?:\./)?(\w+)\.html"', sidebar)))
    pages = {o: (out/f'{o}.html').read_text(encoding='utf-8') for o in order}
    def local(path, page):
        "A link of one page, as an anchor of the whole"
        to,_,anchor = path.removeprefix('./').partition('#')
        to = to.removesuffix('.html') or page
        return f'#{to}.{anchor}' if anchor else f'#{to}'
    def body(page, s):
        main = re.search(r'<main\b[^>]*>(.*)</main>', s, re.S)[1]
        main = re.sub(r'<nav\b.*?</nav>|<a [^>]*id="quarto-back-to-top".*?</a>|<button[^>]*code-copy-button.*?</button>', '', main, flags=re.S)
        parts = re.split(r'(<script\b.*?</script>|<style\b.*?</style>)', main, flags=re.S)
        for i,p in enumerate(parts):
            if p.startswith(('<script', '<style')): continue
            p = re.sub(r'(\s(?:id|for|aria-labelledby|aria-describedby|aria-controls)=")([^"]+)"', rf'\1{page}.\2"', p)
            p = re.sub(r'href="((?:\./)?\w+\.html(?:#[^"]*)?|#[^"]*)"', lambda m: f'href="{local(m[1], page)}"' if m[1].split('#')[0].removeprefix('./').removesuffix('.html') in ('', *pages) else m[0], p)
            p = re.sub(r'(?:download )?href="notebooks/([^"]+)"', rf'href="https://raw.githubusercontent.com/{cfg["user"]}/{cfg["repo"]}/{cfg["branch"]}/{cfg["nbs_path"]}/\1"', p)
            p = re.sub(r'<source\b[^>]*srcset="[^":]+\.svg"[^>]*>', '', p)  # one layout of each figure is enough for a file of this size
            parts[i] = re.sub(r'(src|srcset)="([^":]+\.(png|svg))"', lambda m: f'{m[1]}="data:image/{m[3].replace("svg", "svg+xml")};base64,{base64.b64encode((out/m[2]).read_bytes()).decode()}"', p)
        return f'<article id="{page}">\n{"".join(parts)}\n</article>'
    contents = re.sub(r'href="((?:\./)?\w+\.html)"', lambda m: f'href="{local(m[1], "")}"', re.search(r'<ul.*</ul>', sidebar, re.S)[0])
    contents = re.sub(r'<a (?=[^>]*data-bs-toggle)[^>]*sidebar-item-toggle.*?</a>', '', contents, flags=re.S)
    contents = re.sub(r'<a (?=[^>]*data-bs-toggle)[^>]*>(.*?)</a>', r'<b>\1</b>', contents, flags=re.S)
    contents = re.sub(r' (?:id|class|aria-current)="[^"]*"', '', contents)
    style = (out/'styles.css').read_text(encoding='utf-8') + (Path(__file__).parent/'one_file.css').read_text(encoding='utf-8')
    icon = base64.b64encode((out/'favicon.svg').read_bytes()).decode()
    (out/'book.html').write_text(f'''<!doctype html>
<html lang="en" class="one-file"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(cfg['title'])}</title><meta name="description" content="{html.escape(cfg['description'])}">
<link rel="icon" href="data:image/svg+xml;base64,{icon}"><style>{style}\n@page {{ @top-center {{ content: "{cfg['title']}"; font: 8pt sans-serif; color: #57606a; }} }} @page :first {{ @top-center {{ content: none; }} }}</style></head><body>
<nav id="contents" aria-label="Contents">{contents}</nav>
<main>
{chr(10).join(body(p, s) for p,s in pages.items())}
</main><script>{(out/'book.js').read_text(encoding='utf-8')}</script></body></html>
''', encoding='utf-8')
    return out/'book.html'

def with_page_numbers(book, numbers):
    "The one-file book, whose table of contents tells the page of each chapter ({anchor: page}) when it is printed"
    head, nav, rest = re.split(r'(<nav id="contents".*?</nav>)', book, maxsplit=1, flags=re.S)
    nav = re.sub(r'<a href="#([^"]+)"', lambda m: f'{m[0]} data-page="{numbers[m[1]]}"' if m[1] in numbers else m[0], nav)
    return head + nav + rest

def for_epub(book):
    "The one-file book as Pandoc wants it for an EPUB: headings outside of boxes, so that each chapter is a file, and no scripts"
    s = re.search(r'<main>(.*)</main>', book, re.S)[1]
    s = re.sub(r'<script\b.*?</script>|<style\b.*?</style>|<!--.*?-->', '', s, flags=re.S)
    s = re.sub(r'(<img\b[^>]*?) width="[^"]*" height="[^"]*"', r'\1', s)  # a reader's page is narrower, and keeps what these say
    s = re.sub(r'<span class="depth".*?</span>|<a class="skip".*?</a>|<source\b[^>]*>|</?picture>|<svg class="narrow".*?</svg>', '', s, flags=re.S)
    s = re.sub(r'<article id="([^"]+)">(.*?)<h1 class="title">', r'\2<h1 id="\1">', s, flags=re.S)
    s = re.sub(r'<section\b[^>]*\bid="([^"]+)"[^>]*>\s*<(h\d)\b[^>]*>', r'<\2 id="\1">', s)
    s = re.sub(r'<(?:section|div)\b[^>]*\bid="([^"]+)"[^>]*>', r'<p><span id="\1"></span></p>', s)
    return '<!doctype html><html lang="en"><body>' + re.sub(r'</?(?:article|section|header|div|main)\b[^>]*>', '', s) + '</body></html>'
