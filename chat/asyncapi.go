package chat

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"time"
)

// asyncAPI describes every frame of the stream; a test holds it and the code together.
//
//go:embed asyncapi.json
var asyncAPI []byte

// AsyncAPI is GET of the AsyncAPI 3.0 document of the stream, with an entity tag.
func (a *API) AsyncAPI() http.Handler {
	sum := sha256.Sum256(asyncAPI)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(asyncAPI))
	})
}
