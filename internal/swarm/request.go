package swarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/docker/docker/client"
)

// send asks the engine over the client's own connection what the client's methods ask in another way. The version is the one
// that the client has agreed on.
func send(ctx context.Context, docker *client.Client, method, path string, query url.Values, body io.Reader) (*http.Response, error) {
	target, err := client.ParseHostURL(docker.DaemonHost())
	if err != nil {
		return nil, err
	}
	if target.Scheme == "unix" {
		target.Host = client.DummyHost
	}
	target.Scheme = "http"
	target = target.JoinPath("v"+docker.ClientVersion(), path)
	target.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := docker.HTTPClient().Do(request)
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err // it would repeat the question, which may name fifty services
	}
	return response, err
}

// oldestLists is the version of the API since which lists are asked for as they are here.
const oldestLists = "1.24"

// get opens the answer to a question. ErrNotFound says that something in it does not exist.
func (c *Client) get(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	if err := c.docker.NewVersionError(ctx, oldestLists, "lists of the swarm"); err != nil { // agrees on the version first
		return nil, err
	}
	response, err := send(ctx, c.docker, http.MethodGet, path, query, nil)
	if err != nil || response.StatusCode == http.StatusOK {
		return bodyOf(response), err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound {
		return nil, ErrNotFound
	}
	said, err := readAnswer(response)
	if err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("HTTP status %d: %s", response.StatusCode, said.Message)
}

func bodyOf(r *http.Response) io.ReadCloser {
	if r == nil {
		return nil
	}
	return r.Body
}

// answer is what the engine says of a write, or of a question that it refuses.
type answer struct {
	Message  string   `json:"message"`
	Warnings []string `json:"Warnings"`
}

func readAnswer(r *http.Response) (said answer, err error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err == nil && json.Unmarshal(body, &said) != nil {
		said.Message = strings.TrimSpace(string(body)) // a proxy in between does not speak JSON
	}
	return said, err
}
