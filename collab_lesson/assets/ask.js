// Bets and quizzes: turns the text of each question into buttons. An answer stays in this browser; nothing is sent.
(() => {
  const make = (tag, attrs, ...kids) => {
    const o = document.createElement(tag)
    for (const k in attrs) o.setAttribute(k, attrs[k])
    o.append(...kids)
    return o
  }
  // A browser may forbid the memory (a private window, a sandboxed frame): the question works without.
  const recall = key => { try { return JSON.parse(localStorage.getItem(key)) || [] } catch { return [] } }
  const keep = (key, said) => { try { said.length ? localStorage.setItem(key, JSON.stringify(said)) : localStorage.removeItem(key) } catch {} }
  const mark = ok => make('span', { class: ok ? 'cl-yes' : 'cl-no' }, ok ? '✓ ' : '✗ ')

  for (const root of document.querySelectorAll('.cl-ask:not([data-ready])')) {
    root.dataset.ready = ''
    const bet = root.dataset.ask === 'bet', right = +root.dataset.answer, field = root.querySelector('fieldset')
    const list = root.querySelector('ul'), details = root.querySelector('details')
    const names = [...list.children].map(o => o.textContent), whys = bet ? [] : [...details.querySelectorAll('li')]
    const reason = [...details.querySelectorAll('p')]
    const key = `collab-lesson ${root.dataset.ask} ${location.pathname} ${root.querySelector('legend').textContent}`
    const said = recall(key).map(o => names.indexOf(o)).filter(i => i >= 0)  // a choice that is gone is forgotten
    const result = make('div', { class: 'cl-said', role: 'status', 'aria-live': 'polite', 'aria-atomic': 'false' })
    const clear = make('button', { type: 'button', class: 'cl-clear' }, 'Clear my answer')
    const labels = [...list.children].map(o => [...o.childNodes])
    const buttons = labels.map((label, i) => make('button', { type: 'button' }, ...label))
    const over = () => bet ? said.length > 0 : said.includes(right)

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
      keep(key, said.map(i => names[i]))
      draw()
    }
    buttons.forEach((b, i) => { b.addEventListener('click', () => choose(i)); list.children[i].replaceChildren(b) })
    clear.addEventListener('click', () => { said.length = 0; keep(key, said); draw(); buttons[0].focus() })
    // or JupyterLab takes the keys
    root.addEventListener('focusin', e => e.target.setAttribute('data-lm-suppress-shortcuts', 'true'))
    list.classList.add('cl-choices')
    list.setAttribute('role', 'list')
    details.replaceWith(result, clear)
    draw()
  }
})()
