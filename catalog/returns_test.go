package catalog

import "testing"

func TestAReturnBringsBackSoldUnitsOncePerID(t *testing.T) {
	t.Parallel()
	h := shop(t)
	send(t, h, "PUT", one, hold(`[{"productId": "kettle", "quantity": 3}, {"productId": "lamp", "quantity": 1}]`))
	for _, order := range []string{one, two} { // one is held, two is unknown
		refused := send(t, h, "PUT", order+returnOne, returns(oneKettle))
		if order == one {
			want(t, "of held units", refused, 409, `{"type": "/problems/reservation-not-sold", "state": "HELD"}`)
		} else {
			want(t, "of nothing", refused, 404, `{"type": "/problems/reservation-not-found"}`)
		}
	}
	send(t, h, "POST", one+"/commit", "")
	reservation := func(state, returns string) string {
		return `{"orderId": "00000000-0000-4000-8000-000000000001", "state": ` + state + `,
		"lines": [{"productId": "kettle", "quantity": 3}, {"productId": "lamp", "quantity": 1}], "returns": [` + returns + `],
		"expiresAt": "2026-05-17T09:00:00Z", "updatedAt": "2026-05-17T08:00:00Z"}`
	}
	units := func(what, available, sold, restocked string) {
		t.Helper()
		want(t, what, send(t, h, "GET", "/products/kettle/stock", ""), 200, `{"productId": "kettle", "available": `+available+`,
			"held": 0, "sold": `+sold+`, "initial": 3, "restocked": `+restocked+`}`)
	}
	first := `{"id": "00000000-0000-4000-8000-00000000000a", "lines": [{"productId": "kettle", "quantity": 2, "writeOff": 1}]}`
	twoKettles := returns(`[{"productId": "kettle", "quantity": 1, "writeOff": 1}, {"productId": "kettle", "quantity": 1}]`)
	for range 2 {
		want(t, "return", send(t, h, "PUT", one+returnOne, twoKettles), 200, reservation(`"SOLD"`, first))
		units("after a return", "1", "1", "-1")
	}
	want(t, "same ID, other lines", send(t, h, "PUT", one+returnOne, returns(oneKettle)), 409,
		`{"type": "/problems/return-conflict"}`)
	tooMuch := returns(`[{"productId": "kettle", "quantity": 2}, {"productId": "ghost", "quantity": 1}]`)
	want(t, "too much", send(t, h, "PUT", one+returnTwo, tooMuch), 409, `{"type": "/problems/return-too-large", "excesses": [
		{"productId": "ghost", "requested": 1, "left": 0}, {"productId": "kettle", "requested": 2, "left": 1}]}`)
	if a := send(t, h, "DELETE", "/products/lamp", ""); a.status != 204 {
		t.Fatalf("delete the lamp: %d %v", a.status, a.body)
	}
	second := `{"id": "00000000-0000-4000-8000-00000000000b", "lines": [{"productId": "lamp", "quantity": 1, "writeOff": 0}]}`
	want(t, "of a deleted product", send(t, h, "PUT", one+returnTwo, returns(oneLamp)), 200,
		reservation(`"SOLD"`, first+", "+second))
	want(t, "units of a deleted product", send(t, h, "GET", "/products/lamp/stock", ""), 200,
		`{"productId": "lamp", "available": 1, "held": 0, "sold": 0, "initial": 1, "restocked": 0}`)
	released := reservation(`"RELEASED", "reason": "RELEASED"`, first+", "+second)
	want(t, "release", send(t, h, "DELETE", one, ""), 200, released)
	units("after the release", "2", "0", "-1")
	want(t, "the return again", send(t, h, "PUT", one+returnOne, twoKettles), 200, released)
	units("after it", "2", "0", "-1")
}
