package pvesim

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

func init() {
	handle("GET /nodes/{node}/query-url-metadata", urlMetadata)
}

var (
	dispositionName = regexp.MustCompile(`filename="([^"]*)"|filename=([^;]*)`)
	lastOfURL       = regexp.MustCompile(`^[^?]+/([^?/]*)(?:\?.*)?$`)
)

// urlMetadata asks a web server what is behind a URL.
func urlMetadata(r *request) (any, error) {
	target := r.p["url"]
	client := fetchClient(r.p["verify-certificates"] != "0")
	client.Timeout = time.Minute
	req, err := http.NewRequestWithContext(r.ctx, http.MethodHead, target, nil)
	if err != nil {
		return nil, die("invalid server response: '400 URL must be absolute'")
	}
	req.Header.Set("User-Agent", "Proxmox VE")
	var answer http.Response
	r.unlocked(func() { answer, err = head(client, req) })
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, die("invalid server response: '500 Can't connect to %s (%v)'", hostPort(req.URL), err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, die("invalid server response: '%s'", answer.Status)
	}
	found := map[string]any{}
	if m := dispositionName.FindStringSubmatch(answer.Header.Get("Content-Disposition")); m != nil {
		found["filename"] = m[1] + m[2]
	} else if m := lastOfURL.FindStringSubmatch(target); m != nil && m[1] != "" {
		found["filename"] = m[1]
	}
	if answer.ContentLength > 0 {
		found["size"] = answer.ContentLength
	}
	if kind, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";"); kind != "" {
		found["mimetype"] = kind
	}
	return found, nil
}

// head is an answer without its body.
func head(client *http.Client, req *http.Request) (http.Response, error) {
	answer, err := client.Do(req)
	if err != nil {
		return http.Response{}, err
	}
	return *answer, answer.Body.Close()
}
