package fault

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// ofStatus returns the code of an HTTP status.
func ofStatus(status int) backends.Code {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return backends.Auth
	case http.StatusNotFound, http.StatusGone:
		return backends.NotFound
	case http.StatusConflict:
		return backends.Conflict
	case http.StatusLocked:
		return backends.Locked
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return backends.Invalid
	case http.StatusNotImplemented:
		return backends.Unsupported
	case http.StatusInsufficientStorage:
		return backends.Exhausted
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return backends.Transient
	}
	return backends.Internal
}

func remedyOf(status int) string {
	if status == http.StatusUnauthorized {
		return checkCredentials
	}
	switch ofStatus(status) { //nolint:exhaustive // the others speak for themselves
	case backends.Auth:
		return grant
	case backends.Transient:
		return "vCenter may be starting; try again in a few minutes."
	}
	return ""
}

// ofType are the codes of the REST API's error types (com.vmware.vapi.std.errors), which say
// more than the status: most of them come with 400 or 500.
var ofType = map[string]backends.Code{
	"already_exists":                backends.Conflict,
	"already_in_desired_state":      backends.Precondition,
	"canceled":                      backends.Canceled,
	"concurrent_change":             backends.Locked,
	"feature_in_use":                backends.Precondition,
	"internal_server_error":         backends.Internal,
	"invalid_argument":              backends.Invalid,
	"invalid_element_configuration": backends.Invalid,
	"invalid_element_type":          backends.Invalid,
	"invalid_request":               backends.Invalid,
	"not_allowed_in_current_state":  backends.Precondition,
	"not_found":                     backends.NotFound,
	"operation_not_found":           backends.Unsupported,
	"resource_busy":                 backends.Locked,
	"resource_in_use":               backends.Locked,
	"resource_inaccessible":         backends.Precondition,
	"service_unavailable":           backends.Transient,
	"timed_out":                     backends.Timeout,
	"unable_to_allocate_resource":   backends.Exhausted,
	"unauthenticated":               backends.Auth,
	"unauthorized":                  backends.Auth,
	"unexpected_input":              backends.Invalid,
	"unsupported":                   backends.Unsupported,
}

// restLine finds the status line in errors of govmomi's REST client, which come as text: "GET https://host/rest/...: 404 Not
// Found", or, with the answer's body, "400 Bad Request: {...}".
var restLine = regexp.MustCompile(`(?s)^(?:[A-Z]+ https?://\S+: )?([45]\d\d) ([A-Z][A-Za-z' -]+)(?:: ?(.*))?$`)

// ofREST judges errors of the REST API.
func ofREST(err error) (verdict, bool) {
	var transport *url.Error // the SDK's, or no answer at all
	m := restLine.FindStringSubmatch(innermost(err).Error())
	if m == nil || errors.As(err, &transport) {
		return verdict{}, false
	}
	status, _ := strconv.Atoi(m[1])
	v := verdict{code: ofStatus(status), text: "vCenter's REST API answers: " + strings.ToLower(m[2]), remedy: remedyOf(status)}
	kind, text := Explain([]byte(m[3]))
	if code, ok := ofType[kind]; ok {
		v.code = code
	}
	if text != "" {
		v.text = text
	}
	return v, true
}

func innermost(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error }) //nolint:errorlint // this is the walk through what err wraps
		if !ok || u.Unwrap() == nil {
			return err
		}
		err = u.Unwrap()
	}
}

// Explain finds the type ("not_found") and the messages in the body of an answer of the REST
// API that tells of an error. Text that is not such an answer is returned as the message.
func Explain(body []byte) (kind, text string) {
	type message struct {
		Default string `json:"default_message"`
	}
	var answer struct {
		Type      string    `json:"type"`
		ErrorType string    `json:"error_type"`
		Messages  []message `json:"messages"`
		Value     struct {
			ErrorType string    `json:"error_type"`
			Messages  []message `json:"messages"`
		} `json:"value"`
	}
	if json.Unmarshal(body, &answer) != nil {
		text := strings.TrimSpace(string(body))
		if strings.HasPrefix(text, "<") {
			return "", "" // a proxy's page
		}
		if rest, ok := strings.CutPrefix(text, "("); ok { // as conn writes it into the status line
			if k, t, found := strings.Cut(rest, ") "); found {
				return k, t
			}
		}
		return "", text
	}
	for _, k := range []string{answer.Type, answer.ErrorType, answer.Value.ErrorType} {
		if k != "" {
			kind = strings.ToLower(k[strings.LastIndex(k, ".")+1:])
			break
		}
	}
	var all []string
	for _, m := range append(answer.Messages, answer.Value.Messages...) {
		if s := strings.TrimRight(strings.TrimSpace(m.Default), ". "); s != "" {
			all = append(all, s)
		}
	}
	return kind, strings.Join(all, "; ")
}
