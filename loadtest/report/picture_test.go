package report

import (
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/loadtest/result"
)

func TestPagesDrawAllTheirCharts(t *testing.T) {
	c, err := Compare([]Run{{"before", example()}, {"after", tuned()}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tests := []struct{ name, page, charts string }{
		// Requests, latency, held connections, connections, requests at the proxy, replicas, workers, distribution.
		{"a-run", render(t, example()), `data-charts="8"`},
		{"an-empty-run", render(t, result.Upgrade(result.Result{Scenario: "none", Started: time.Unix(0, 0)})), `data-charts="1"`},
		// Answered, failed, p99, p50, held, connections, replicas, distribution.
		{"runs", comparison(t, c), `data-charts="8"`},
	}
	for _, tt := range tests {
		path := filepath.Join(dir, tt.name+".html")
		if err := os.WriteFile(path, []byte(tt.page), 0o644); err != nil {
			t.Fatal(err)
		}
		document, err := headless(t.Context(), browser(t), "file://"+filepath.ToSlash(path), 800, "--dump-dom")
		if err != nil {
			t.Fatal(err)
		}
		if head, _, _ := strings.Cut(string(document), "<head>"); !strings.Contains(head, tt.charts) || !drawn.MatchString(head) {
			t.Errorf("%s: %s, want %s and how high it is", tt.name, head, tt.charts)
		}
	}
}

// browser gives the program that draws pages. A developer may go without; CI may not.
func browser(t *testing.T) string {
	t.Helper()
	path, err := findBrowser()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}

func comparison(t *testing.T, c Comparison) string {
	t.Helper()
	var out strings.Builder
	if err := WriteComparison(&out, c); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestAPictureIsAsHighAsAskedAndReplacesAnOldOne(t *testing.T) {
	browser(t)
	dir := t.TempDir()
	page, picture := filepath.Join(dir, "a page.html"), filepath.Join(dir, "picture.png")
	if err := os.WriteFile(page, []byte(render(t, example())), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(picture, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Picture(t.Context(), page, picture, Shot{Height: 300}); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(picture)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := png.DecodeConfig(f)
	if err != nil || size.Width != scale*pictureWidth || size.Height != scale*300 {
		t.Errorf("the picture is %d by %d, %v; want %d by %d", size.Width, size.Height, err, scale*pictureWidth, scale*300)
	}
}

func TestWithoutABrowserAPictureSaysWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := Picture(t.Context(), "page.html", "picture.png", Shot{})
	if err == nil || !strings.Contains(err.Error(), "none of chromium, chromium-browser, google-chrome is in PATH") {
		t.Errorf("error %v", err)
	}
}
