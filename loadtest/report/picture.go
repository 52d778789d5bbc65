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
	pictureWidth = 1200 // CSS pixels
	pictureLimit = time.Minute
	frame        = 200   // CSS pixels that are drawn below and cut off
	tallest      = 16000 // CSS pixels; more than any page has, and what a browser can draw
)

var drawn = regexp.MustCompile(`data-height="(\d+)"`)

// Picture draws a page into a PNG file: as much of it from the top as height says in CSS pixels, all of it when height is 0. It starts a
// headless Chromium with a profile of its own, which it removes.
func Picture(ctx context.Context, page, to string, height int) error {
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
	if height == 0 {
		document, err := headless(ctx, browser, page, 1000, "--dump-dom")
		if err != nil {
			return fmt.Errorf("draw %s: %w", to, err)
		}
		found := drawn.FindSubmatch(document)
		if found == nil {
			return fmt.Errorf("draw %s: the charts of %s were not drawn", to, page)
		}
		height, _ = strconv.Atoi(string(found[1])) // digits
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) { // an old picture must not pass for a new one
		return fmt.Errorf("draw %s: %w", to, err)
	}
	height = min(height, tallest)
	if _, err := headless(ctx, browser, page, height+frame, "--screenshot="+to); err != nil {
		return fmt.Errorf("draw %s: %w", to, err)
	}
	if err := crop(to, height); err != nil {
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
func headless(ctx context.Context, browser, page string, height int, what string) ([]byte, error) {
	profile, err := os.MkdirTemp("", "loadtest-browser-")
	if err != nil {
		return nil, fmt.Errorf("make profile: %w", err)
	}
	defer os.RemoveAll(profile)
	args := []string{
		"--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--hide-scrollbars", "--user-data-dir=" + profile, fmt.Sprintf("--window-size=%d,%d", pictureWidth, height), what,
	}
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox") // Chromium refuses root otherwise; the page is our own
	}
	address := url.URL{Scheme: "file", Path: page}
	cmd := exec.CommandContext(ctx, browser, append(args, address.String())...)
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
