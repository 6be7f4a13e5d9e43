package main

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/url"
	"os"
	"strconv"

	"github.com/farmstate/farmstate/peer"
	"github.com/farmstate/farmstate/peer/core"
	"github.com/farmstate/farmstate/peer/link"
)

// copies makes the options of the copies of sessions.
func (n *node) copies(s link.Security) (peer.Copies, error) {
	c := n.cfg
	seed, err := placementSeed(s)
	if err != nil {
		return peer.Copies{}, err
	}
	count := int(c.Copies)
	if count == 0 {
		count = 1
		if n.gossips() {
			count = 2
		}
	}
	ack := map[string]core.Ack{"all": core.AckAll, "one": core.AckOne, "none": core.AckNone}[c.Ack]
	return peer.Copies{
		N: count, Ack: ack, Backlog: int(c.CopyBacklog), TouchPeriod: c.TouchPeriod, RepairRate: c.RepairRate, Quarantine: c.QuarantineSize, Seed: seed,
	}, nil
}

// gossips reports whether this node finds others by membership.
func (n *node) gossips() bool { return n.cfg.GossipAddr() != "" }

// placementSeed is the seed by which copies are placed: all nodes that recognise each other have the same, and web clients cannot know it.
func placementSeed(s link.Security) (uint64, error) {
	secret := s.Secret
	if s.Certificates != nil {
		var err error
		if secret, err = os.ReadFile(s.Certificates.CA); err != nil {
			return 0, err
		}
	}
	if len(secret) == 0 {
		return 0, nil // plain links: nothing is secret here
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "farmstate placement of copies", 8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(key), nil
}

// quarantined is the page /api/v1/quarantine: the states of sessions that have given way to newer ones. It shows no content.
func (n *node) quarantined() any {
	if n.farm == nil {
		return peer.QuarantineList{States: []peer.Quarantined{}}
	}
	return n.farm.Quarantine()
}

// exported is one state of the quarantine, as a whole.
type exported struct {
	peer.Quarantined
	Key     string `json:"key"`
	Content []byte `json:"content"` // base64
	Timeout uint32 `json:"timeout_minutes"`
	Locked  bool   `json:"locked"`
	Cookie  uint32 `json:"lock_cookie"`
}

// exportAction is POST /api/v1/quarantine/export?id=N: one state of the quarantine with its key and its content.
func (n *node) exportAction(query url.Values) (any, error) {
	id, err := strconv.ParseInt(query.Get("id"), 10, 64)
	if err != nil || n.farm == nil {
		return nil, errNoState
	}
	q, ok := n.farm.Quarantined(id)
	if !ok {
		return nil, errNoState
	}
	p := &q.Parcel
	return exported{q, p.Key, p.Body, p.Minutes, p.Locked, p.Cookie}, nil
}

var errNoState = errors.New("there is no such state in the quarantine: /api/v1/quarantine lists them, the parameter id names one")
