// How far a reader has come: counts the answers that the questions of the chapters (ask.js) have left in this browser.
(() => {
  const make = (tag, attrs, ...kids) => {
    const o = document.createElement(tag)
    for (const k in attrs) o.setAttribute(k, attrs[k])
    o.append(...kids)
    return o
  }
  const PRE = 'collab-lesson answer '
  const recall = key => { try { const o = JSON.parse(localStorage.getItem(key)); return Array.isArray(o?.said) ? o : { said: [] } } catch { return { said: [] } } }
  const keys = () => { try { return Object.keys(localStorage).filter(k => k.startsWith(PRE)) } catch { return [] } }
  const forget = () => keys().forEach(k => { try { localStorage.removeItem(k) } catch {} })
  const count = (n, s) => `${n} ${s}${n === 1 ? '' : 's'}`
  for (const root of document.querySelectorAll('.cl-progress:not([data-ready])')) {
    root.dataset.ready = ''
    const sum = root.querySelector('.cl-sum'), plain = sum.textContent, items = [...root.querySelectorAll('li')]
    const spans = items.map(o => o.querySelector('span').textContent)
    const bar = make('progress', { 'aria-label': 'Questions answered', value: 0, max: 1 }), next = make('p', { class: 'cl-next' })
    const wipe = make('button', { type: 'button', class: 'cl-clear' }, 'Forget my answers')
    wipe.addEventListener('click', () => { forget(); dispatchEvent(new CustomEvent('cl-forget')); draw(); sum.tabIndex = -1; sum.focus() })
    sum.setAttribute('role', 'status')
    sum.after(bar, next)
    root.append(wipe)
    const draw = () => {
      const all = keys(), rows = items.map(o => {
        const at = `${PRE}${o.dataset.chapter} `, mine = all.filter(k => k.startsWith(at)).map(recall).filter(a => a.said.length)
        const n = +o.dataset.questions
        return { o, n, done: Math.min(n, mine.filter(a => a.over).length), again: mine.filter(a => !a.first) }
      })
      const done = rows.reduce((s, r) => s + r.done, 0), total = rows.reduce((s, r) => s + r.n, 0), again = rows.reduce((s, r) => s + r.again.length, 0)
      rows.forEach(({ o, n, done, again }, i) => {
        o.querySelector('span').replaceChildren(done || again.length ? `${done} of ${n} answered${again.length ? '; look again at: ' + again.map(a => `“${String(a.question).replace(/^(Bet|Quiz): */, '')}”`).join(', ') : ''}` : spans[i])
        o.classList.toggle('cl-done', done === n)
      })
      bar.value = total ? done / total : 0
      const begun = rows.some(r => r.done || r.again.length)
      wipe.hidden = bar.hidden = next.hidden = !begun
      sum.textContent = begun ? `You have answered ${done} of ${total} questions${again ? `; ${count(again, 'question')} ${again === 1 ? 'is' : 'are'} worth another look` : ''}.` : plain
      const last = rows.map(r => r.done > 0 || r.again.length > 0).lastIndexOf(true), to = rows.find((r, i) => i >= last && r.done < r.n) || rows.find(r => r.done < r.n)
      next.replaceChildren(...begun && to ? ['Go on with ', to.o.querySelector('a').cloneNode(true), '.'] : begun ? ['Every question is answered.'] : [])
    }
    addEventListener('storage', draw)
    addEventListener('pageshow', draw)
    addEventListener('cl-answer', draw)
    draw()
  }
})()
