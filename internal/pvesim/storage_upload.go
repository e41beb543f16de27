package pvesim

import (
	"os"
)

func init() {
	handle("POST /nodes/{node}/storage/{storage}/upload", uploadFile)
}

// uploadFile takes what came with the request over to a storage. A file of its name is replaced.
func uploadFile(r *request) (any, error) {
	st, err := r.usable(r.p["node"], r.p["storage"])
	if err != nil {
		return nil, err
	}
	if !st.of().files {
		return nil, die("can't upload to storage type '%s'", st.kind)
	}
	if r.upload == nil {
		return nil, die("missing temporary file name")
	}
	f, err := r.newFile(st)
	if err != nil {
		return nil, err
	}
	if !st.holds(f.content) {
		return nil, die("storage '%s' does not support '%s' content", st.id, f.content)
	}
	file, named, size := r.upload.path, r.p["tmpfilename"], r.upload.size
	algorithm, sum := r.p["checksum-algorithm"], r.p["checksum"]
	r.upload.keep = true
	return r.forkNow(r.user, f.node, "imgcopy", "", func(w *worker) error {
		defer os.Remove(file)
		if err := w.takeTime(); err != nil {
			return err
		}
		w.logf("starting file import from: %s", named)
		data, err := w.load(file)
		if err != nil {
			return err
		}
		if err := w.verifySum(data, algorithm, sum); err != nil {
			return err
		}
		if err := w.checked(f, data, named); err != nil {
			return err
		}
		return w.locked(func() error {
			w.say("target node: %s", f.node)
			w.say("target file: %s", f.path())
			w.say("file size is: %d", size)
			w.say("command: cp -- %s %s", named, f.path())
			if size > w.spaceLeft(st, f.node) {
				return die("import failed: cp: error writing '%s': No space left on device", f.path())
			}
			w.put(f, data)
			w.say("finished file import successfully")
			return nil
		})
	}), nil
}

// load reads a file of the machine the simulator runs on.
func (w *worker) load(file string) (*content, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, die("temporary file '%s' does not exist", file)
	}
	defer f.Close()
	data := newContent(w.volumes.spool, 0)
	if err := data.fill(interruptible{w.ctx, f}); err != nil {
		return nil, err
	}
	return data, nil
}
