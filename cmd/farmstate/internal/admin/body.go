package admin

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxRequestBody is how much of a body is read to find out that there is one, in bytes.
const maxRequestBody = 64 << 10

// hasBody answers a request for an action that has a body, and reports whether it has: what stands in it would be left out. One that comes in chunks is read to its
// end, or to the limit.
func hasBody(w http.ResponseWriter, r *http.Request, takes []Parameter) bool {
	n, err := r.ContentLength, error(nil)
	if n < 0 {
		n, err = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxRequestBody))
	}
	_, long := errors.AsType[*http.MaxBytesError](err)
	switch {
	case long || n > maxRequestBody:
		http.Error(w, fmt.Sprintf("the body is longer than %d bytes, and an action has none", maxRequestBody), http.StatusRequestEntityTooLarge)
	case n > 0 || err != nil:
		http.Error(w, "an action has no body: its parameters are in the query; it takes "+listed(takes), http.StatusBadRequest)
	default:
		return false
	}
	return true
}
