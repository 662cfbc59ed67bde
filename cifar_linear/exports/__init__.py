"""Runs in the formats of other programs, written without their libraries."""
