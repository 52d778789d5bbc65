package e2e

import (
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// visitor is a client that keeps its cookie and comes every 200 ms.
type visitor struct {
	client http.Client
	mu     sync.Mutex
	tasks  []string // that have answered since the last look, each once in a row
	sent   int
	failed []string
}

// visit sends requests until done is closed.
func (v *visitor) visit(url string, done <-chan struct{}) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		task, failure := v.post(url)
		v.mu.Lock()
		v.sent++
		switch {
		case failure != "":
			v.failed = append(v.failed, failure)
		case len(v.tasks) == 0 || v.tasks[len(v.tasks)-1] != task:
			v.tasks = append(v.tasks, task)
		}
		v.mu.Unlock()
		select {
		case <-done:
			return
		case <-tick.C:
		}
	}
}

func (v *visitor) post(url string) (task, failure string) {
	// Without GetBody net/http cannot send a request twice.
	request, err := http.NewRequest(http.MethodPost, url, struct{ *strings.Reader }{strings.NewReader("an order")})
	if err != nil {
		return "", err.Error()
	}
	response, err := v.client.Do(request)
	if err != nil {
		return "", err.Error()
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", response.Status
	}
	return response.Header.Get("X-Task"), ""
}

// seen answers which tasks have answered since the last look.
func (v *visitor) seen() (tasks []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	tasks = slices.Clone(v.tasks)
	v.tasks = v.tasks[max(0, len(v.tasks)-1):]
	return tasks
}

// answered is the number of requests that were sent so far.
func (v *visitor) answered() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.sent
}

// visitors begin to visit a path of the site.
func (s *site) visitors(path string, n int, done <-chan struct{}, ended *sync.WaitGroup) (all []*visitor) {
	for i := range n {
		jar, err := cookiejar.New(nil)
		if err != nil {
			s.t.Fatal(err)
		}
		v := &visitor{client: http.Client{Jar: jar, Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: i%2 == 0}}}
		all = append(all, v)
		ended.Go(func() { v.visit("http://"+s.http+"/"+path, done) })
	}
	return all
}

// stickyClients scales and updates under clients with cookies. Whose task stays keeps it; whose task leaves gets another
// one, and no error.
func (s *site) stickyClients(id string) {
	done, ended := make(chan struct{}), &sync.WaitGroup{}
	var all []*visitor
	stop := sync.OnceFunc(func() { close(done); ended.Wait() })
	s.t.Cleanup(stop)
	round := func() {
		for _, v := range all {
			before := v.answered()
			s.await(patience, "every client is answered", func() bool { return v.answered() > before+1 })
		}
	}
	for _, change := range []struct {
		name     string
		replicas int
		make     func()
	}{
		{"more tasks", 4, func() { s.scaledTo(id, 4, s.asker("sticky")) }},
		{"fewer tasks", 2, func() { s.scaledTo(id, 2, s.asker("sticky")) }},
		{"other tasks", 2, func() { s.updated(id, 2, s.asker("sticky")) }},
	} {
		all = append(all, s.visitors("sticky", 5, done, ended)...) // these spread over the tasks of now
		round()
		for _, v := range all {
			v.seen()
		}
		change.make()
		round()
		stay, moved := s.running(id, change.replicas), 0
		for i, v := range all {
			tasks := v.seen()
			if slices.Contains(stay, tasks[0]) && len(tasks) > 1 {
				s.t.Errorf("%s: client %d had %s, which stayed, and was sent to %v", change.name, i, tasks[0], tasks[1:])
			}
			if len(tasks) > 1 {
				moved++
			}
			if last := tasks[len(tasks)-1]; !slices.Contains(stay, last) {
				s.t.Errorf("%s: client %d is answered by %s, which has left", change.name, i, last)
			}
		}
		s.t.Logf("%s: %d of %d clients were moved", change.name, moved, len(all))
		if change.name == "fewer tasks" && moved == 0 {
			s.t.Error("no client had a task that left")
		}
	}
	stop()
	judgeVisitors(s.t, all)
}

func judgeVisitors(t *testing.T, all []*visitor) {
	sent, failed := 0, 0
	for i, v := range all {
		sent, failed = sent+v.sent, failed+len(v.failed)
		for _, failure := range v.failed {
			t.Errorf("client %d: %s", i, failure)
		}
	}
	t.Logf("%d requests with cookies, %d failed", sent, failed)
}
