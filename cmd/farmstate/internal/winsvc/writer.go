package winsvc

import (
	"bytes"
	"strings"
)

// maxText is how many bytes of a line go into one event. Windows takes 31839 characters.
const maxText = 30000

// Writer writes lines as slog's TextHandler makes them to the Event Log. Each
// Write is a line.
type Writer struct {
	Log Log
}

// Write implements io.Writer.
func (w Writer) Write(line []byte) (int, error) {
	text := string(bytes.ToValidUTF8(bytes.TrimSpace(line[:min(len(line), maxText)]), nil))
	text = strings.ReplaceAll(text, "\x00", "") // Windows ends a text there
	_, level, _ := strings.Cut(text, "level=")
	report, id := w.Log.Info, uint32(idInfo)
	switch {
	case strings.HasPrefix(level, "WARN"):
		report, id = w.Log.Warning, idWarning
	case strings.HasPrefix(level, "ERROR"):
		report, id = w.Log.Error, idError
	}
	if err := report(id, text); err != nil {
		return 0, err
	}
	return len(line), nil
}
