// One history under causal attention: choose a film, and the bars show how much the place after it looks at each film before.
collabLesson.define('attention', ({ data, body, state, say }) => {
  const { h, fmt } = collabLesson, { titles, weights, next } = data, n = titles.length
  let at = n - 1
  const rows = titles.map((t, i) => {
    const bar = h('i.cl-move'), num = h('span.cl-num')
    const el = h('button.cl-film', {
      type: 'button', tabindex: -1, onclick: () => choose(i), onfocus: () => choose(i), onmouseenter: () => choose(i),
      onkeydown: e => {
        const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: n - 1 }[e.key]
        if (to == null) return
        e.preventDefault()
        rows[Math.min(n - 1, Math.max(0, to))].el.focus()
      },
    }, h('span.cl-title', { title: t }, t), h('span.cl-bar', { 'aria-hidden': 'true' }, bar), num)
    return { el, bar, num }
  })
  const says = h('p.cl-note'), follows = h('p.cl-note')
  body.append(h('p.cl-head', {}, 'Films of one user, oldest first ', h('span.cl-mute', {}, '(number: share of attention)')),
    h('ol.cl-list', { role: 'list', 'aria-label': 'Films of one user, oldest first' }, rows.map(o => h('li', {}, o.el))), says, follows)

  function choose(i) {
    at = i
    const w = weights[i], most = Math.max(...w)
    rows.forEach(({ el, bar, num }, j) => {
      const later = j > i, share = later ? 0 : w[j]
      el.tabIndex = j === i ? 0 : -1
      el.setAttribute('aria-pressed', String(j === i))
      el.classList.toggle('cl-later', later)
      bar.style.width = `${100 * share / most}%`
      num.textContent = later ? 'later' : `${fmt(100 * share, 0)} %`
      el.setAttribute('aria-label', `${titles[j]}: ${later ? 'later, cannot be seen' : `${fmt(100 * share, 0)} percent`}`)
    })
    const order = w.slice(0, i + 1).map((v, j) => [v, j]).sort((a, b) => b[0] - a[0]).slice(0, 2)
    const text = i ? `After “${titles[i]}” the model looks most at ${order.map(([v, j]) => `“${titles[j]}” (${fmt(100 * v, 0)} %)`).join(' and ')}.`
      : 'The first film can look only at itself.'
    says.textContent = text
    follows.textContent = i < n - 1 ? `What came next: “${titles[i + 1]}”.` : `What the model expects next: ${next.map(t => `“${t}”`).join(', ')}.`
    say(text)
    state({ at: i, weights: w.slice(0, i + 1) })
  }
  choose(at)
})
