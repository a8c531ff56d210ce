// Bets and quizzes: turns the text of each question into buttons. Answers stay in this browser; nothing is sent.
(() => {
  const make = (tag, attrs, ...kids) => {
    const o = document.createElement(tag)
    for (const k in attrs) o.setAttribute(k, attrs[k])
    o.append(...kids)
    return o
  }
  // A browser may forbid the memory (a private window, a sandboxed frame): the question works without.
  const PRE = 'collab-lesson answer '
  const recall = key => { try { const o = JSON.parse(localStorage.getItem(key)); return Array.isArray(o?.said) ? o : { said: [] } } catch { return { said: [] } } }
  const keep = (key, o) => { try { o.said.length ? localStorage.setItem(key, JSON.stringify(o)) : localStorage.removeItem(key) } catch {} }
  const mark = ok => make('span', { class: ok ? 'cl-yes' : 'cl-no' }, ok ? '✓ ' : '✗ ')
  // /lesson/bias.html, /lab/tree/nbs/07_bias.ipynb and the part #bias of the book in one file are one chapter
  const page = location.pathname.split('/').pop().replace(/\.\w+$/, '').replace(/^\d\d_/, '') || 'index'
  const chapter = o => (document.getElementById('contents') && o.closest('article[id]')?.id) || page

  for (const root of document.querySelectorAll('.cl-ask[data-answer]:not([data-ready])')) {
    root.dataset.ready = ''
    const bet = root.dataset.ask === 'bet', right = +root.dataset.answer, field = root.querySelector('fieldset')
    const list = root.querySelector('ul'), details = root.querySelector('details')
    const names = [...list.children].map(o => o.textContent), whys = bet ? [] : [...details.querySelectorAll('li')]
    const reason = [...details.querySelectorAll('p')]
    const question = root.querySelector('legend').textContent, where = chapter(root), key = `${PRE}${where} ${question}`
    const said = recall(key).said.map(o => names.indexOf(o)).filter(i => i >= 0)  // a choice that is gone is forgotten
    const result = make('div', { class: 'cl-said', role: 'status', 'aria-live': 'polite', 'aria-atomic': 'false' })
    const clear = make('button', { type: 'button', class: 'cl-clear' }, 'Clear my answer')
    const labels = [...list.children].map(o => [...o.childNodes])
    const buttons = labels.map((label, i) => make('button', { type: 'button' }, ...label))
    const over = () => bet ? said.length > 0 : said.includes(right)
    const save = () => {
      keep(key, { said: said.map(i => names[i]), first: said[0] === right, over: over(), question })
      dispatchEvent(new CustomEvent('cl-answer'))
    }

    const draw = () => {
      const done = over()
      buttons.forEach((b, i) => {
        const tried = said.includes(i)
        b.replaceChildren(...tried || done && i === right ? [mark(i === right)] : [], ...labels[i])
        b.setAttribute('aria-pressed', tried)
        b.setAttribute('aria-disabled', done || tried)
      })
      clear.hidden = !said.length
      if (!said.length) return result.replaceChildren()
      const last = said.at(-1), ok = last === right
      const verdict = make('p', {}, mark(ok), make('b', {}, ok ? 'Right.' : bet ? `You said: ${names[last]}.` : 'Not this one. Choose again.'))
      if (bet) return result.replaceChildren(verdict, ...reason)
      const show = whys.filter((_, i) => done || said.includes(i))
      result.replaceChildren(verdict, make('ul', {}, ...show))
    }
    const choose = i => {
      if (over() || said.includes(i)) return
      said.push(i)
      save()
      draw()
    }
    buttons.forEach((b, i) => { b.addEventListener('click', () => choose(i)); list.children[i].replaceChildren(b) })
    clear.addEventListener('click', () => { said.length = 0; save(); draw(); buttons[0].focus() })
    addEventListener('cl-forget', e => { if (!e.detail || e.detail === where) { said.length = 0; save(); draw() } })
    // or JupyterLab takes the keys
    root.addEventListener('focusin', e => e.target.setAttribute('data-lm-suppress-shortcuts', 'true'))
    list.classList.add('cl-choices')
    list.setAttribute('role', 'list')
    details.replaceWith(result, clear)
    draw()
    root.clAsk = { where, question: question.replace(/^(Bet|Quiz): */, ''), over, first: () => said[0] === right, at: () => { root.scrollIntoView({ block: 'center' }); (buttons.find(b => b.tabIndex >= 0) || clear).focus({ preventScroll: true }) } }
  }

  // What to look at again, at the end of each chapter: before its heading "Next", or else after its last question
  const review = () => {
    const chapters = new Map()
    for (const o of document.querySelectorAll('.cl-ask[data-answer]')) if (o.clAsk) chapters.set(o.clAsk.where, [...chapters.get(o.clAsk.where) || [], o])
    for (const [where, asked] of chapters) {
      const last = asked.at(-1)
      let box = document.querySelector(`.cl-review[data-of="${CSS.escape(where)}"]`)
      const done = asked.filter(o => o.clAsk.over()), again = asked.filter(o => o.clAsk.over() && !o.clAsk.first())
      if (!done.length) { box?.remove(); continue }
      if (!box) {
        box = make('section', { class: 'cl-ask cl-review', 'data-of': where, 'aria-label': 'Your answers in this chapter' })
        const heads = document.querySelector('.jp-Notebook, .notebook-container') ? [] : [...document.querySelectorAll('h2')]
        const end = heads.find(h => /^Next\b/.test(h.textContent.trim()) && last.compareDocumentPosition(h) & Node.DOCUMENT_POSITION_FOLLOWING)
        if (end) end.before(box)
        else last.after(box)
      }
      const words = make('p', {}, make('b', {}, `Your answers here: ${done.length} of ${asked.length}. `), again.length ? 'Look again at:' : done.length === asked.length ? 'All were right at the first try.' : 'All right so far.')
      const wipe = make('button', { type: 'button', class: 'cl-clear' }, 'Forget my answers of this chapter')
      wipe.addEventListener('click', () => { dispatchEvent(new CustomEvent('cl-forget', { detail: where })); asked[0].clAsk.at() })
      box.replaceChildren(words, ...again.length ? [make('ul', {}, ...again.map(o => {
        const b = make('button', { type: 'button', class: 'cl-clear' }, o.clAsk.question)
        b.addEventListener('click', o.clAsk.at)
        return make('li', {}, b)
      }))] : [], wipe)
    }
  }
  if (!window.clReview) {  // one for all copies of this script
    window.clReview = review
    addEventListener('cl-answer', review)
    document.readyState === 'loading' ? addEventListener('DOMContentLoaded', review) : review()
  } else if (document.readyState !== 'loading') window.clReview()
})()
