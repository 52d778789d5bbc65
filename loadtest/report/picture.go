package report

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	pictureWidth = 1200            // CSS pixels
	pictureLimit = 3 * time.Minute // a busy machine starts a browser slowly
	frame        = 200             // CSS pixels that are drawn below and cut off
	below        = 24              // CSS pixels that are left free below the last chart
	scale        = 2               // dots for a CSS pixel: screens that show a README have so many
	tallest      = 8000            // CSS pixels; more than any page has, and what a browser can draw at that scale
)

var drawn = regexp.MustCompile(`data-height="(\d+)" data-seconds="(\d+)"`)

// Shot says how a page is drawn. The zero value is all of it, in light colours.
type Shot struct {
	Height int  // CSS pixels from the top; 0 is the whole page
	Charts bool // down to the last chart of the seconds, and no further
	Dark   bool
}

// Picture draws a page into a PNG file. It starts a headless Chromium with a profile of its own, which it removes.
func Picture(ctx context.Context, page, to string, shot Shot) error {
	browser, err := findBrowser()
	if err != nil {
		return fmt.Errorf("draw %s: %w", to, err)
	}
	if page, err = filepath.Abs(page); err != nil {
		return fmt.Errorf("find page: %w", err)
	}
	if to, err = filepath.Abs(to); err != nil {
		return fmt.Errorf("find picture: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, pictureLimit)
	defer cancel()
	address := url.URL{Scheme: "file", Path: page, Fragment: "picture-light"}
	if shot.Dark {
		address.Fragment = "picture-dark"
	}
	height := shot.Height
	if height == 0 {
		document, err := headless(ctx, browser, address.String(), 1000, "--dump-dom")
		if err != nil {
			return fmt.Errorf("draw %s: %w", to, err)
		}
		found := drawn.FindSubmatch(document)
		if found == nil {
			return fmt.Errorf("draw %s: the charts of %s were not drawn", to, page)
		}
		height, _ = strconv.Atoi(string(found[1])) // digits
		if shot.Charts {
			height, _ = strconv.Atoi(string(found[2]))
			height += below
		}
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) { // an old picture must not pass for a new one
		return fmt.Errorf("draw %s: %w", to, err)
	}
	height = min(height, tallest)
	if _, err := headless(ctx, browser, address.String(), height+frame, "--screenshot="+to, fmt.Sprintf("--force-device-scale-factor=%d", scale)); err != nil {
		return fmt.Errorf("draw %s: %w", to, err)
	}
	if err := crop(to, height*scale); err != nil {
		return fmt.Errorf("draw %s: %w", to, err)
	}
	return nil
}

// findBrowser gives the first program found that can draw a page.
func findBrowser() (string, error) {
	browsers := []string{"chromium", "chromium-browser", "google-chrome"}
	for _, name := range browsers {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("find browser: none of %s is in PATH; Debian's package is chromium", strings.Join(browsers, ", "))
}

// crop cuts a picture off below height. A headless window of some Chromium versions counts its frame, which is not there, and leaves a strip white.
func crop(path string, height int) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read what the browser drew: %w", err)
	}
	whole, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("read what the browser drew: %w", err)
	}
	bounds := whole.Bounds()
	bounds.Max.Y = min(bounds.Max.Y, bounds.Min.Y+height)
	part := image.NewRGBA(bounds)
	draw.Draw(part, bounds, whole, bounds.Min, draw.Src)
	return WriteFile(path, func(w io.Writer) error {
		return (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(w, part)
	})
}

// headless opens a page in a browser without a window and gives what it writes.
func headless(ctx context.Context, browser, address string, height int, what ...string) ([]byte, error) {
	profile, err := os.MkdirTemp("", "loadtest-browser-")
	if err != nil {
		return nil, fmt.Errorf("make profile: %w", err)
	}
	defer os.RemoveAll(profile)
	args := []string{
		"--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--hide-scrollbars", "--user-data-dir=" + profile, fmt.Sprintf("--window-size=%d,%d", pictureWidth, height),
	}
	args = append(args, what...)
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox") // Chromium refuses root otherwise; the page is our own
	}
	cmd := exec.CommandContext(ctx, browser, append(args, address)...)
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		last := errs.String()
		last = strings.TrimSpace(last[strings.LastIndexByte(strings.TrimSpace(last), '\n')+1:])
		return nil, fmt.Errorf("run %s: %w: %s", filepath.Base(browser), err, last)
	}
	return out.Bytes(), nil
}
