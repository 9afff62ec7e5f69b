"""Events of `edge watch` on real footage, beside what somebody saw who looked at every frame."""
