package fleet

import (
	"context"
	"io"
	"net/http"
	"net/url"
)

// Alive asks a node for a sign of life, which costs it next to nothing. ctx bounds it.
func (c *Client) Alive(ctx context.Context, addr string) error {
	u := url.URL{Scheme: "http", Host: addr, Path: "/healthz"}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return err
	}
	resp, err := web.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10)) // whatever it says, it lives; read to its end, the connection serves the next question
	_ = resp.Body.Close()                                          // it has been read
	return err
}
