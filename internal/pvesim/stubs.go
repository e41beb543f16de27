package pvesim

type content struct{}
