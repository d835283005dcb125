// Search without requests and without a worker, which browsers refuse to pages that are
// files. search/data.js sets xpio_search to the index; lunr.js is mkdocs' own.
(function () {
  var list = document.getElementById('mkdocs-search-results');
  var input = document.getElementById('mkdocs-search-query');
  if (!list || !input) return;

  var separator = new RegExp(xpio_search.config.separator);
  var sections = {};
  lunr.tokenizer.separator = separator;
  var index = lunr(function () {
    this.ref('location');
    this.field('title', { boost: 10 });
    this.field('text');
    xpio_search.docs.forEach(function (section) {
      sections[section.location] = section;
      this.add(section);
    }, this);
  });

  function words_of(text) {
    return text.toLowerCase().split(separator).filter(Boolean);
  }

  // All words must be there, the last one perhaps not yet typed to its end.
  function find(words) {
    return index.query(function (query) {
      words.forEach(function (word, i) {
        var required = { presence: lunr.Query.presence.REQUIRED };
        if (i === words.length - 1) required.wildcard = lunr.Query.wildcard.TRAILING;
        query.term(i === words.length - 1 ? word : lunr.tokenizer(word), required);
      });
    });
  }

  // The text around the first of the words.
  function excerpt(text, words) {
    var place = words.reduce(function (first, word) {
      var found = text.toLowerCase().indexOf(word);
      return found >= 0 && (first < 0 || found < first) ? found : first;
    }, -1);
    var start = Math.max(0, place - 80);
    return (start > 0 ? '… ' : '') + text.slice(start, start + 240);
  }

  function element(name, text, parent) {
    var result = document.createElement(name);
    result.textContent = text;
    parent.appendChild(result);
    return result;
  }

  function show() {
    var words = words_of(input.value);
    list.textContent = '';
    if (words.length === 0) return;
    var results = find(words);
    if (results.length === 0) element('p', 'Nothing found.', list);
    results.forEach(function (result) {
      var section = sections[result.ref];
      var heading = element('h3', '', list);
      element('a', section.title, heading).href = section.location;
      element('p', excerpt(section.text, words), list);
    });
  }

  input.addEventListener('input', show);
  input.value = new URLSearchParams(window.location.search).get('q') || '';
  show();
})();
