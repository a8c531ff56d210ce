"The tool behind `make cards`: the book's questions, quizzes and glossary as a deck for Anki."
import ast, html, json, re
from configparser import ConfigParser
from pathlib import Path

root = Path(__file__).resolve().parent.parent
ini = ConfigParser(delimiters=['=']); ini.read(root/'settings.ini', encoding='utf-8')
cfg = ini['DEFAULT']
site = cfg['doc_host'] + cfg['doc_baseurl']
deck_id, model_id = 1735920461, 1368274905  # never to change: Anki finds a learner's deck and history by them
re_math = re.compile(r'(?<!\\)\$\$(.+?)\$\$|(?<!\\)\$(?!\s)([^$\n]+?)(?<!\s)\$(?!\d)', re.S)

def address(stem, at=''): return f"{site}/{re.sub(r'^[0-9]{2}_', '', stem)}.html{at}"

def to_html(s):
    "Markdown as HTML, with formulas as Anki's MathJax and links to the site"
    import mistune
    kept = []
    def keep(m):
        kept.append(r'\[%s\]' % html.escape(m[1], quote=False) if m[1] else r'\(%s\)' % html.escape(m[2], quote=False))
        return f'MATHX{len(kept)-1}X'
    code = re.split(r'(```.*?```|`[^`\n]+`)', s, flags=re.S)
    s = ''.join(o if i%2 else re_math.sub(keep, o) for i,o in enumerate(code))
    s = re.sub(r'\]\((\w+)\.ipynb(#[\w.-]+)?\)', lambda m: f"]({address(m[1], m[2] or '')})", s)
    s = mistune.create_markdown(escape=False, plugins=['table'])(s).strip().replace('$', '&#36;')
    return re.sub(r'MATHX(\d+)X', lambda m: kept[int(m[1])], s)

def quizzes(cell):
    "(question, answer) of the quizzes that a code cell shows, where the text is written out and the right choice is known"
    try: calls = [o.value for o in ast.parse(cell['source']).body if isinstance(o, ast.Expr) and isinstance(o.value, ast.Call)]
    except SyntaxError: return
    for o in calls:
        if getattr(o.func, 'id', '') != 'quiz': continue
        args = dict(zip(('question', 'choices', 'answer'), o.args)) | {k.arg: k.value for k in o.keywords}
        try: question = ast.literal_eval(args['question'])
        except (ValueError, KeyError): continue
        try:
            choices, right = ast.literal_eval(args['choices']), ast.literal_eval(args['answer'])
            right = list(choices)[right] if isinstance(right, int) and right not in choices else right
            yield question, f'<b>{html.escape(str(right))}</b>: {html.escape(choices[right])}'
        except (ValueError, KeyError, IndexError):  # computed: its executed output tells
            shown = ''.join(''.join(p.get('data', {}).get('text/html', '')) for p in cell.get('outputs', []))
            if m := re.search(r'<span class="cl-yes">✓</span> (<b>.*?)</li>', shown, re.S): yield question, m[1]

def cards(nbs=root/cfg['nbs_path']):
    "(notebook, chapter, question, answer), the question as it is written and the answer as HTML"
    for path in sorted(Path(nbs).glob('*.ipynb')):
        cells = [o | {'source': ''.join(o['source'])} for o in json.loads(path.read_text(encoding='utf-8'))['cells']]
        title = next((m[1] for o in cells if (m := re.search(r'^# (.+)', o['source'], re.M)) and o['cell_type']=='markdown'), path.stem)
        for c in cells:
            if c['cell_type']=='code': yield from ((path.stem, title, q, re.sub('`(.+?)`', r'<code>\1</code>', a).replace('$', '&#36;')) for q,a in quizzes(c)); continue
            if path.stem=='glossary' and (m := re.match(r'## ([^\n]+)\n+(.+)', c['source'], re.S)):
                yield path.stem, title, f'What is meant by: {m[1]}?', to_html(m[2])
            for q,a in re.findall(r'<details>\s*<summary><b>(.+?)</b></summary>(.+?)</details>', c['source'], re.S):
                yield path.stem, title, re.sub(r'^\d+\. ', '', q), to_html(a)

def write(to=root/'_cards'/f"{cfg['lib_name']}.apkg", nbs=root/cfg['nbs_path']):
    "Write the deck and return its path and notes; a note is known by its notebook and question, so that a new answer keeps the history"
    import genanki
    model = genanki.Model(model_id, cfg['title'], fields=[{'name': o} for o in ('Question', 'Answer', 'Chapter', 'Address')],
        templates=[dict(name='Card', qfmt='<small>{{Chapter}}</small><br>{{Question}}',
                        afmt='{{FrontSide}}<hr id=answer>{{Answer}}<p><a href="{{Address}}">{{Chapter}}</a></p>')])
    deck, notes = genanki.Deck(deck_id, cfg['title']), {}
    for stem,title,q,a in cards(nbs):
        guid = genanki.guid_for(re.sub(r'^[0-9]{2}_', '', stem), q)
        notes.setdefault(guid, genanki.Note(model, [to_html(q), a, to_html(title), address(stem)], guid=guid))
    for o in notes.values(): deck.add_note(o)
    Path(to).parent.mkdir(parents=True, exist_ok=True)
    genanki.Package(deck).write_to_file(to)
    return Path(to), list(notes.values())

if __name__ == '__main__':
    path, notes = write()
    print(f'wrote {path.relative_to(root)}: {len(notes)} cards')
