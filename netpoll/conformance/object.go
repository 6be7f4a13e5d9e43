package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// object is a JSON object whose keys are taken one at a time. What nobody has
// taken when done is called is a mistake in the case.
//
// encoding/json's own decoding into structs would not do: it matches names
// whatever their case, lets a repeated key win silently and takes null for
// anything.
type object struct {
	fields map[string]json.RawMessage
	errs   []error
}

func parseObject(raw []byte) (*object, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if tok, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	} else if tok != json.Delim('{') {
		return nil, fmt.Errorf("want an object, have %.40q", raw)
	}
	o := &object{fields: make(map[string]json.RawMessage)}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		name, _ := key.(string)
		if _, dup := o.fields[name]; dup {
			return nil, fmt.Errorf("key %q is there twice", name)
		}
		o.fields[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err == nil {
		return nil, errors.New("there is more behind the object")
	}
	return o, nil
}

// has reports whether key is there and not yet taken.
func (o *object) has(key string) bool {
	_, ok := o.fields[key]
	return ok
}

// fail notes a mistake, which done returns.
func (o *object) fail(format string, args ...any) {
	o.errs = append(o.errs, fmt.Errorf(format, args...))
}

// done returns all mistakes found, keys that were not taken included.
func (o *object) done() error {
	for _, key := range slices.Sorted(maps.Keys(o.fields)) {
		o.fail("unknown key %q", key)
	}
	return errors.Join(o.errs...)
}

// take removes key and decodes its value. It reports false if the key is absent
// or its value is not a T; the latter is noted as a mistake.
func take[T any](o *object, key string) (v T, ok bool) {
	raw, ok := o.fields[key]
	if !ok {
		return v, false
	}
	delete(o.fields, key)
	if err := strictly(raw, &v); err != nil {
		o.fail("%s: %w", key, err)
		return v, false
	}
	return v, true
}

// require is take for a key that must be there.
func require[T any](o *object, key string) T {
	if !o.has(key) {
		o.fail("%s: missing", key)
	}
	v, _ := take[T](o, key)
	return v
}

// takeWith is take for values with a decoder of their own.
func takeWith[T any](o *object, key string, decode func([]byte) (T, error)) (v T, ok bool) {
	raw, ok := take[json.RawMessage](o, key)
	if !ok {
		return v, false
	}
	v, err := decode(raw)
	if err != nil {
		o.fail("%s: %w", key, err)
		return v, false
	}
	return v, true
}

// takeTrue is take for flags of which only true has a meaning.
func takeTrue(o *object, key string) bool {
	v, ok := take[bool](o, key)
	if ok && !v {
		o.fail("%s: only true has a meaning", key)
	}
	return v
}

// strictly decodes raw into v and does not take null for a zero value.
func strictly(raw []byte, v any) error {
	if bytes.Contains(raw, []byte("null")) {
		if err := noNull(raw); err != nil {
			return err
		}
	}
	return json.Unmarshal(raw, v)
}

// noNull refuses null anywhere in raw.
func noNull(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		if tok == nil {
			return errors.New("null is no value")
		}
	}
	return nil
}
