package voting

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var pictures = flag.String("pictures", "", "a folder for pictures of the pages after the load")

// browser is the Chromium of this machine.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("no Chromium is here; Debian's package is chromium")
	}
	t.Skip("no Chromium is here; Debian's package is chromium")
	return ""
}

// start runs a Chromium of its own, that is asked for nothing but what the test opens.
func start(t *testing.T) context.Context {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(browser(t)), chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(2*time.Minute))
	for _, name := range []string{"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update", "disable-sync", "hide-scrollbars"} {
		options = append(options, chromedp.Flag(name, true))
	}
	limited, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	t.Cleanup(cancel)
	allocator, cancel := chromedp.NewExecAllocator(limited, options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(t.Logf), chromedp.WithLogf(t.Logf))
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start browser: %v", err)
	}
	return ctx
}

// screen is what somebody looks at the pages with.
type screen struct {
	width, height int64
	scale         float64
	phone         bool
	scheme        string // light or dark
}

// tab opens a tab, whose errors are those of the test: of scripts, of the console, and answers that are none.
func (s *site) tab(browser context.Context, as screen) context.Context {
	s.t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	s.t.Cleanup(cancel)
	var mu sync.Mutex
	var wrong []string
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		wrong = append(wrong, fmt.Sprintf(format, args...))
	}
	listen := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			note("exception: %s %s:%d", e.ExceptionDetails.Text, e.ExceptionDetails.URL, e.ExceptionDetails.LineNumber)
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
				note("console: %s", e.Type)
			}
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
				note("log: %s %s", e.Entry.Text, e.Entry.URL)
			}
		case *network.EventResponseReceived:
			if e.Response.Status >= 400 {
				note("%s: status %d", e.Response.URL, e.Response.Status)
			}
		case *network.EventLoadingFailed:
			if !e.Canceled { // the page was left
				note("%s %s: %s", e.Type, e.RequestID, e.ErrorText)
			}
		}
	})
	s.t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, w := range wrong {
			s.t.Errorf("the browser complains: %s", w)
		}
	})
	if listen != nil {
		s.t.Fatal(listen)
	}
	scheme := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: as.scheme}}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, scheme); err != nil {
		s.t.Fatal(err)
	}
	s.do(ctx, chromedp.EmulateViewport(as.width, as.height, chromedp.EmulateScale(as.scale), func(p *emulation.SetDeviceMetricsOverrideParams, _ *emulation.SetTouchEmulationEnabledParams) {
		p.Mobile = as.phone
	}))
	return ctx
}

func (s *site) do(tab context.Context, actions ...chromedp.Action[chromedp.Void]) {
	s.t.Helper()
	if err := chromedp.Do(tab, actions...); err != nil {
		s.t.Fatal(err)
	}
}

// evaluate gives the value of a script's expression.
func evaluate[T any](s *site, tab context.Context, expression string) T {
	s.t.Helper()
	value, err := chromedp.Run(tab, chromedp.Evaluate[T](expression))
	if err != nil {
		s.t.Fatal(err)
	}
	return value
}

// becomes waits until a script's expression is true, over the change of pages, during which nothing can be asked.
func (s *site) becomes(tab context.Context, expression string) {
	s.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(3 * time.Minute); ; <-tick.C {
		holds, err := chromedp.Run(tab, chromedp.Evaluate[bool](expression))
		if holds {
			return
		}
		if time.Now().After(deadline) || tab.Err() != nil {
			text, _ := chromedp.Run(tab, chromedp.Text(chromedp.CSS("body")))
			s.t.Fatalf("wait for %s: %v; the page says\n%s", expression, err, text)
		}
	}
}

var (
	desk  = screen{1200, 800, 1, false, "light"}
	phone = screen{390, 844, 2, true, "dark"}
)

// votesInABrowser has one tab on the result while another one votes twice: the last vote counts.
func (s *site) votesInABrowser() {
	ctx := start(s.t)
	watching, voting := s.tab(ctx, desk), s.tab(ctx, phone)
	s.do(watching, chromedp.Navigate("http://"+s.http+"/result")) // leads to /result/
	s.becomes(watching, `document.getElementById("state").dataset.state === "live"`)
	s.becomes(watching, shows(0, 0))
	evaluate[bool](s, watching, `window.loadedOnce = true`)

	s.do(voting, chromedp.Navigate("http://"+s.http+"/vote"))
	s.becomes(voting, `location.pathname === "/vote/" && document.readyState === "complete" && !document.querySelector("[aria-pressed]")`)
	s.vote(voting, "mountains")
	s.becomes(watching, shows(1, 0))
	s.vote(voting, "sea")
	s.becomes(watching, shows(0, 1))
	if !evaluate[bool](s, watching, `window.loadedOnce === true`) {
		s.t.Error("the page of the result was loaded again instead of changing by itself")
	}
	if got := s.sql("SELECT count(*) || ' votes of ' || count(DISTINCT voter) FROM votes"); got != "2 votes of 1" {
		s.t.Errorf("PostgreSQL has %s", got)
	}
	s.do(voting, chromedp.Click(chromedp.CSS("footer a")))
	s.becomes(voting, `location.pathname === "/result/" && `+shows(0, 1))
	for name, tab := range map[string]context.Context{"result": watching, "vote": voting} {
		if evaluate[bool](s, tab, `document.documentElement.scrollWidth > innerWidth`) {
			s.t.Errorf("the page of %s is wider than its screen", name)
		}
	}
}

// shows is true where the page of the result has these numbers.
func shows(mountains, sea int) string {
	text := func(n int) string {
		if n == 1 {
			return "1 vote"
		}
		return fmt.Sprint(n, " votes")
	}
	return fmt.Sprintf(`document.getElementById("count-mountains")?.textContent === %q && document.getElementById("count-sea")?.textContent === %q`, text(mountains), text(sea))
}

func (s *site) vote(tab context.Context, choice string) {
	s.t.Helper()
	s.do(tab, chromedp.Click(chromedp.CSS(`button[value="`+choice+`"]`)))
	s.becomes(tab, fmt.Sprintf(`document.readyState === "complete" && document.querySelector("button[value=%s]")?.getAttribute("aria-pressed") === "true"`, choice))
}

// paint takes pictures of both pages on both screens in both schemes, where that was asked for.
func (s *site) paint() {
	if *pictures == "" {
		return
	}
	ctx := start(s.t)
	for _, base := range []screen{desk, phone} {
		for _, scheme := range []string{"light", "dark"} {
			as := base
			as.scheme = scheme
			name := map[bool]string{false: "desk", true: "phone"}[as.phone]
			tab := s.tab(ctx, as)
			for _, page := range []string{"vote", "result"} {
				s.do(tab, chromedp.Navigate("http://"+s.http+"/"+page+"/"))
				s.becomes(tab, `document.readyState === "complete" && document.getAnimations().every((a) => a.effect.getTiming().iterations === Infinity || a.playState === "finished")`)
				png, err := chromedp.Run(tab, chromedp.CaptureScreenshot())
				if err != nil {
					s.t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(*pictures, strings.Join([]string{page, name, scheme}, "-")+".png"), png, 0o644); err != nil {
					s.t.Fatal(err)
				}
			}
		}
	}
}
