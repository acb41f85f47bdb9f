//! Which representation of an answer leaves: compressed, as it is, or only word that the client has it already (RFC 9110 §12.1,
//! §13.1.2). Both protocols come through here.
//! Never here: a codec; an answer that carries a secret, compressed.

use std::sync::Arc;

use crate::actions::desk::Desk;
use crate::core::bounds::{COMPRESS_AT_ONCE_BYTES_MAX, COMPRESS_GAIN_BYTES_MIN, COMPRESS_KEPT_BYTES_PER_TURN};
use crate::core::coding::Coding;
use crate::core::ledger::ShardLedger;
use crate::core::method::Method;
use crate::proto::compress::{Effort, Gathered, Recipe, Whole, compress_pieces, compress_whole, is_text};
use crate::proto::reply::{Body, Compression, Content, JSON, Rendered, Reply};
use crate::proto::variants::{Known, Variant};

use super::booking::Open;

/// The reply in the form that suits the request.
#[must_use]
pub fn represent(desk: &Desk, open: &Open, mut reply: Reply) -> Reply {
    let recipe = negotiate(desk, open, &mut reply);
    let may_know = matches!(open.method, Some(Method::Get | Method::Head)) && reply.status == 200;
    let Some(known) = open.wishes.known.as_ref().filter(|_| may_know) else {
        return encode(desk, recipe, reply);
    };
    // The tag of what would be sent is compared, and of nothing else: a client that has the body uncompressed has another
    // representation. Who knows the tag of a variant got it from us, so it need not be made to know that it would be.
    let tag = recipe.and_then(|recipe| reply.etag().map(|etag| recipe.tag(etag)));
    if let Some(tag) = tag.filter(|tag| known.has(tag)) {
        return not_modified(reply, Some(tag));
    }
    let reply = encode(desk, recipe, reply);
    if known.has_any() || reply.etag().is_some_and(|etag| known.has(etag)) {
        let tag = reply.etag().map(str::to_owned);
        return not_modified(reply, tag);
    }
    reply
}

/// RFC 9110 §15.4.5: of the answer that would have been, what tells caches about it, and not what describes its content.
fn not_modified(mut reply: Reply, tag: Option<String>) -> Reply {
    reply.headers.retain(|header| !matches!(header.name, "etag" | "content-encoding"));
    let reply = Reply { status: 304, body: Body::Empty, ..reply };
    match tag {
        Some(tag) => reply.with("etag", tag),
        None => reply,
    }
}

/// The recipe that the client's wish comes to; `None` for the body as it is. Notes whether there was a choice.
fn negotiate(desk: &Desk, open: &Open, reply: &mut Reply) -> Option<Recipe> {
    let rules = &desk.common.service.config.compression;
    if rules.codings.is_empty() || reply.compression != Compression::Allowed {
        return None;
    }
    let effort = effort(rules.bytes_min, reply)?;
    reply.compression = Compression::Negotiated;
    let coding = open.wishes.coding(effort)?;
    Some(Recipe { coding, effort })
}

/// How hard to try; `None` when the body is not worth it.
fn effort(bytes_min: usize, reply: &Reply) -> Option<Effort> {
    if !(200..300).contains(&reply.status) || reply.header("content-encoding").is_some() {
        return None;
    }
    let Some(Content { content_type, bytes }) = reply.content() else { return Some(Effort::Pieces) };
    if bytes.len() < bytes_min || !(content_type == JSON || is_text(content_type)) {
        return None;
    }
    match &reply.body {
        // A stream is JSON; a long body of another type stays as it is.
        _ if bytes.len() > COMPRESS_AT_ONCE_BYTES_MAX => (content_type == JSON).then_some(Effort::Pieces),
        Body::Shared(rendered) if is_kept(rendered) => Some(Effort::Kept),
        _ => Some(Effort::Once),
    }
}

/// Whether somebody else holds the body too, and will be asked for it again: a cache, the configuration, a request that
/// waited for the same load.
fn is_kept(rendered: &Arc<Rendered>) -> bool {
    Arc::strong_count(rendered) > 1
}

fn encode(desk: &Desk, recipe: Option<Recipe>, reply: Reply) -> Reply {
    let Some(recipe) = recipe else { return reply };
    match recipe.effort {
        Effort::Kept => kept(desk, recipe, reply),
        Effort::Once => once(desk, recipe, reply),
        Effort::Pieces => in_pieces(desk, recipe, reply),
    }
}

/// The variant that is kept with the body, made now if nobody has made it. While another shard makes it, and when this one has
/// made enough in this turn, the body as it is.
fn kept(desk: &Desk, recipe: Recipe, reply: Reply) -> Reply {
    let Body::Shared(rendered) = &reply.body else { return reply };
    let variants = &rendered.variants;
    let may_make = || desk.front.variant_bytes.take(desk.turn(), rendered.body.len(), COMPRESS_KEPT_BYTES_PER_TURN);
    if variants.known(recipe.coding) == Known::Unmade && may_make() && variants.claim(recipe.coding) {
        let body = desk.codecs.borrow_mut().encode(recipe, &rendered.body);
        keep(&desk.ledger, recipe, rendered, body);
    }
    known(desk, recipe.coding, reply)
}

/// Puts a variant to its body, or word that it is useless.
fn keep(ledger: &ShardLedger, recipe: Recipe, rendered: &Rendered, body: Option<Vec<u8>>) {
    let etag = recipe.tag(&rendered.etag).into();
    let variant = body.map(|body| Variant { body: body.into(), etag });
    if rendered.variants.keep(recipe.coding, variant) == Known::Made {
        ledger.compression.variants.one();
    }
}

/// The variant if it is there.
fn known(desk: &Desk, coding: Coding, reply: Reply) -> Reply {
    match reply.body {
        Body::Shared(rendered) if rendered.variants.known(coding) == Known::Made => {
            let bytes = rendered.variants.get(coding).map_or(0, |variant| variant.body.len());
            count(desk, coding, rendered.body.len(), bytes);
            Reply { body: Body::Variant(rendered, coding), ..reply }
        }
        body => Reply { body, ..reply },
    }
}

fn once(desk: &Desk, recipe: Recipe, reply: Reply) -> Reply {
    let Some(Content { content_type, bytes }) = reply.content() else { return reply };
    let Some(encoded) = desk.codecs.borrow_mut().encode(recipe, bytes) else { return reply };
    count(desk, recipe.coding, bytes.len(), encoded.len());
    let body = if content_type == JSON {
        Body::Owned(encoded)
    } else {
        Body::Text { content_type: content_type.into(), bytes: encoded.into() }
    };
    let tag = reply.etag().map(|etag| recipe.tag(etag));
    coded(recipe.coding, tag, Reply { body, ..reply })
}

/// A stream, or a body that is too long to be done in one turn.
fn in_pieces(desk: &Desk, recipe: Recipe, mut reply: Reply) -> Reply {
    let coding = recipe.coding;
    let mut gathered = None;
    if let Body::Shared(rendered) = &reply.body
        && is_kept(rendered)
    {
        match rendered.variants.known(coding) {
            Known::Made | Known::Useless => return known(desk, coding, reply),
            Known::Unmade => gathered = gather(desk, recipe, rendered),
            Known::Claimed => {}
        }
    }
    // One too many goes as it is.
    let Some(encoder) = desk.piece_encoders.begin(coding) else { return reply };
    let tag = reply.etag().map(|etag| recipe.tag(etag));
    let chunks = match std::mem::replace(&mut reply.body, Body::Empty) {
        Body::Stream(chunks) => compress_pieces(chunks, encoder),
        Body::Shared(rendered) => compress_whole(Whole::Rendered(rendered), encoder, gathered),
        Body::Owned(bytes) => compress_whole(Whole::Owned(bytes), encoder, None),
        Body::Static(bytes) => compress_whole(Whole::Static(bytes), encoder, None),
        body @ (Body::Empty | Body::Text { .. } | Body::Variant(..)) => return Reply { body, ..reply },
    };
    desk.ledger.compression.answers[coding as usize].one();
    coded(coding, tag, Reply { body: Body::Stream(chunks), ..reply })
}

/// Takes it upon the stream to keep its pieces as the variant, unless another stream does. The claim ends with the stream,
/// also with one that is not read to its end.
fn gather(desk: &Desk, recipe: Recipe, rendered: &Arc<Rendered>) -> Option<Gathered> {
    struct Claim(Arc<Rendered>, Coding);
    impl Drop for Claim {
        fn drop(&mut self) {
            self.0.variants.give_up(self.1);
        }
    }
    if !rendered.variants.claim(recipe.coding) {
        return None;
    }
    let claim = Claim(rendered.clone(), recipe.coding);
    let ledger = desk.ledger.clone();
    Some(Box::new(move |all| {
        let Claim(rendered, _) = &claim;
        let gains = all.len() + COMPRESS_GAIN_BYTES_MIN <= rendered.body.len();
        keep(&ledger, recipe, rendered, gains.then_some(all));
    }))
}

/// The reply, whose body is in that coding now.
fn coded(coding: Coding, tag: Option<String>, mut reply: Reply) -> Reply {
    reply.headers.retain(|header| header.name != "etag");
    let reply = reply.with("content-encoding", coding.name());
    match tag {
        Some(tag) => reply.with("etag", tag),
        None => reply,
    }
}

fn count(desk: &Desk, coding: Coding, before: usize, after: usize) {
    let books = &desk.ledger.compression;
    books.answers[coding as usize].one();
    books.bytes_before.add(before as u64);
    books.bytes_after.add(after as u64);
}
