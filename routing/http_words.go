package routing

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// word is one word of a label that is written as HAProxy's own configuration is.
type word struct {
	text   string
	quoted bool // some of it was quoted or escaped, so that it is no keyword
}

// parseItems reads `word word…[, word word…]`. Words end at blanks and items at the separator, mostly a comma, but not
// inside quotes or the brackets of %[…]; between the braces of a condition it ends no item. Quotes and backslashes work as in
// haproxy.cfg, except that a backslash makes no control characters.
func parseItems(text, separator string) ([][]word, error) {
	p := wordParser{rest: text, separator: separator}
	for p.rest != "" {
		if err := p.step(); err != nil {
			return nil, err
		}
	}
	p.endItem()
	if len(p.items) == 0 {
		return nil, fmt.Errorf("is empty")
	}
	return p.items, nil
}

type wordParser struct {
	rest      string
	separator string
	items     [][]word
	item      []word
	text      strings.Builder
	begun     bool // a word has begun, perhaps with an empty quote
	quoted    bool
	closer    byte // what ends the expression the parser is in: ']' or 0
	braces    bool // inside a condition
}

func (p *wordParser) step() error {
	c := p.rest[0]
	switch {
	case c == '\'' || c == '"':
		return p.quote(c)
	case c == '\\':
		return p.escape()
	case p.closer == 0 && strings.HasPrefix(p.rest, "%%"):
		p.take(2)
	case p.closer == 0 && strings.HasPrefix(p.rest, "%["):
		p.closer = ']'
		p.take(2)
	case p.closer != 0 && c == p.closer:
		p.closer = 0
		p.take(1)
	case c == ' ':
		if p.closer != 0 {
			return fmt.Errorf("has a blank inside %%[ ]")
		}
		p.endWord()
		p.rest = p.rest[1:]
	case strings.HasPrefix(p.rest, p.separator) && p.closer == 0 && (!p.braces || p.text.String() == "}" && !p.quoted):
		p.endItem()
		p.rest = p.rest[len(p.separator):]
	default:
		p.take(1)
	}
	return nil
}

func (p *wordParser) take(n int) {
	p.text.WriteString(p.rest[:n])
	p.rest, p.begun = p.rest[n:], true
}

func (p *wordParser) quote(mark byte) error {
	p.rest, p.begun, p.quoted = p.rest[1:], true, true
	for p.rest != "" {
		switch c := p.rest[0]; {
		case c == mark:
			p.rest = p.rest[1:]
			return nil
		case c == '\\' && mark == '"':
			if err := p.escape(); err != nil {
				return err
			}
		default:
			p.take(1)
		}
	}
	return fmt.Errorf("has a quote without an end")
}

func (p *wordParser) escape() error {
	p.rest, p.quoted = p.rest[1:], true
	if p.rest == "" {
		return fmt.Errorf("ends in a backslash, which escapes nothing")
	}
	r, size := utf8.DecodeRuneInString(p.rest)
	if r != '_' && r != '-' && r != '.' && isWord(r) {
		return fmt.Errorf(`has the escape \%c, which is not supported`, r)
	}
	p.take(size)
	return nil
}

func (p *wordParser) endWord() {
	if !p.begun {
		return
	}
	w := word{text: p.text.String(), quoted: p.quoted}
	if !w.quoted {
		p.braces = p.braces && w.text != "}" || w.text == "{" || w.text == "!{"
	}
	p.item = append(p.item, w)
	p.text.Reset()
	p.begun, p.quoted = false, false
}

func (p *wordParser) endItem() {
	p.endWord()
	if len(p.item) > 0 {
		p.items = append(p.items, p.item)
	}
	p.item, p.braces = nil, false
}
