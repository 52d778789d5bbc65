package swarm

import (
	"context"
	"hash/maphash"
	"io"
	"net/url"
	"slices"
	"sync"

	"github.com/docker/docker/api/types/filters"
)

// lists asks for lists and remembers the last answers. At rest the engine says the same thousands of objects again and again,
// byte for byte and in the same order, and decoding them is what a look at a large swarm would cost: so an object
// whose bytes are those of an object of the answer before is not decoded, but is that object.
type lists[T any] struct {
	path   string
	decode func(object []byte) (T, error)

	mu   sync.Mutex
	seed maphash.Seed
	last []answered[T] // the latest first
}

// questionsKept bounds the answers that are remembered. A reader has one question at rest, and a smaller one between two of
// those while a few services move.
const questionsKept = 2

// answered is a question and its answer. It is not changed once it stands in lists.
type answered[T any] struct {
	question string
	objects  []object[T]
}

// object is a decoded value, and how long its text was and which.
type object[T any] struct {
	size  int
	hash  uint64
	value T
}

func newLists[T any](path string, decode func([]byte) (T, error)) *lists[T] {
	return &lists[T]{path: path, decode: decode, seed: maphash.MakeSeed()}
}

// ask answers a list in the engine's order. The values are shared with those of other answers: nobody may change them.
func (l *lists[T]) ask(ctx context.Context, c *Client, f filters.Args) ([]T, error) {
	query := url.Values{}
	if f.Len() > 0 {
		text, err := filters.ToJSON(f)
		if err != nil {
			return nil, err
		}
		query.Set("filters", text)
	}
	body, err := c.get(ctx, l.path, query)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	question := query.Get("filters")
	found, err := l.read(body, l.before(question))
	if err != nil {
		return nil, err
	}
	l.keep(question, found)
	values := make([]T, len(found))
	for i := range found {
		values[i] = found[i].value
	}
	return values, nil
}

func (l *lists[T]) before(question string) []object[T] {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.last {
		if a.question == question {
			return a.objects
		}
	}
	return nil
}

func (l *lists[T]) keep(question string, found []object[T]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = slices.DeleteFunc(l.last, func(a answered[T]) bool { return a.question == question })
	l.last = slices.Insert(l.last, 0, answered[T]{question, found})
	l.last = l.last[:min(len(l.last), questionsKept)]
}

// read takes an answer apart. Most objects are found where they were last time, by their length and hash alone; another one
// is looked for among all of those, and decoded when it is not there.
func (l *lists[T]) read(body io.Reader, before []object[T]) ([]object[T], error) {
	found := make([]object[T], 0, len(before))
	text, next := objects{from: body}, 0 // the place in before that is due
	var places map[uint64]int
	for {
		more, err := text.more()
		if err != nil || !more {
			return found, err
		}
		if next < len(before) {
			if same := before[next]; text.has(same.size) && maphash.Bytes(l.seed, text.peek(same.size)) == same.hash {
				text.skip(same.size)
				found, next = append(found, same), next+1
				continue
			}
		}
		content, err := text.object()
		if err != nil {
			return nil, err
		}
		hash := maphash.Bytes(l.seed, content)
		if places == nil {
			places = placesOf(before)
		}
		if place, known := places[hash]; known && before[place].size == len(content) {
			found, next = append(found, before[place]), place+1
			continue
		}
		value, err := l.decode(content)
		if err != nil {
			return nil, err
		}
		found = append(found, object[T]{len(content), hash, value})
	}
}

func placesOf[T any](all []object[T]) map[uint64]int {
	places := make(map[uint64]int, len(all))
	for i, o := range all {
		places[o.hash] = i
	}
	return places
}
