"""Missions: goals for a smaller network, checked on data that nobody tunes on, with everybody's points beside them."""
