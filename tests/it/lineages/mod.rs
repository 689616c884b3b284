//! Topics that replace each other, grow, or stand side by side: the generations of a table.

mod generation;
mod generation_books;
mod generation_grown;
mod generation_races;
mod mixed_numbers;
mod recreated_topic;
mod side_by_side;
mod timelines;
