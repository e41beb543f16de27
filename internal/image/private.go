package image

import (
	"context"
	"encoding/json"

	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// localKey is where the private state has the fingerprint of the local file with
// its size and time, as it was last read. In the state itself a file that was
// only touched would show as a difference.
const localKey = "local_file"

type localFile struct {
	Fingerprint string `json:"fingerprint"`
}

type (
	keyGetter interface {
		GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
	}
	keySetter interface {
		SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
	}
)

func localFingerprint(ctx context.Context, private keyGetter) (string, diag.Diagnostics) {
	data, diags := private.GetKey(ctx, localKey)
	var f localFile
	if len(data) > 0 && json.Unmarshal(data, &f) != nil {
		return "", diags // written by another version: the file is read again
	}
	return f.Fingerprint, diags
}

func keepLocalFingerprint(ctx context.Context, private keySetter, fingerprint string) diag.Diagnostics {
	if fingerprint == "" {
		return nil
	}
	data, err := json.Marshal(localFile{Fingerprint: fingerprint})
	if err != nil {
		return diag.Diagnostics{diag.NewErrorDiagnostic("Unable to keep the fingerprint of the local file", err.Error())}
	}
	return private.SetKey(ctx, localKey, data)
}
