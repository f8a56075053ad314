//! Reading, writing and discarding, with the witness's checksum beside them.

use std::io::Read;

use anyhow::Result;
use lab::Pattern;
use rbd_mirror::{Error, Zeroes};

use crate::site::{self, MIB, ONE};

#[test]
fn what_is_written_is_read_back_and_is_what_rbd_exports() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "written")?;
    let mut data = Vec::new();
    Pattern::new(11, 16 * MIB).read_to_end(&mut data)?;
    // Pieces that begin and end anywhere, across objects' borders.
    for (offset, piece) in
        data.chunks(1_234_567).scan(0, |at, piece| Some((std::mem::replace(at, *at + piece.len()), piece)))
    {
        image.write_at(offset.try_into()?, piece)?;
    }
    image.flush()?;
    assert!(image.read_at(0, data.len())? == data);
    assert!(image.read_at(4 * MIB - 7, 14)? == data[(4 << 20) - 7..(4 << 20) + 7]);
    assert_eq!(site.sha256_of_export("one/written")?, Pattern::new(11, 16 * MIB).sha256());
    Ok(())
}

#[test]
fn what_rbd_imports_is_what_is_read() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    site.import("one/imported", Pattern::new(12, 5 * MIB + 512))?;
    let mut data = Vec::new();
    Pattern::new(12, 5 * MIB + 512).read_to_end(&mut data)?;
    assert!(pool.open_read_only("imported")?.read_at(0, 6 << 20)? == data);
    Ok(())
}

#[test]
fn a_read_past_the_end_is_cut_short_and_a_write_past_it_is_an_error() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "ends")?;
    image.write_at(16 * MIB - 4, b"last")?;
    assert_eq!(image.read_at(16 * MIB - 4, 1000)?, b"last");
    for offset in [16 * MIB, 17 * MIB, u64::MAX] {
        match image.read_at(offset, 10) {
            Ok(data) => assert_eq!(data, b"", "{offset}"),
            Err(error) => assert!(error.errno().is_some(), "{error}"),
        }
        assert!(image.write_at(offset, b"beyond").is_err(), "{offset}");
    }
    assert_eq!(image.read_at(0, 0)?, b"");
    image.write_at(0, b"")?;
    assert_eq!(site.image_info("one/ends")?.size, 16 * MIB);
    Ok(())
}

#[test]
fn a_write_across_the_end_never_grows_the_image() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "across")?;
    // librbd clips it: what lies behind the end is not written, and nobody is told so.
    let written = image.write_at(16 * MIB - 4, b"lastlost");
    assert!(matches!(written, Ok(()) | Err(Error::Os { .. })), "{written:?}");
    assert_eq!(site.image_info("one/across")?.size, 16 * MIB);
    Ok(())
}

#[test]
fn a_discarded_range_reads_as_zeroes_and_its_neighbours_stay() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "discarded")?;
    image.write_at(0, &vec![7; 16 << 20])?;
    image.discard(4 * MIB, 8 * MIB)?;
    image.flush()?;
    let data = image.read_at(0, 16 << 20)?;
    let expected: Vec<u8> =
        (0..16).flat_map(|mib| vec![if (4..12).contains(&mib) { 0 } else { 7 }; 1 << 20]).collect();
    assert!(data == expected);
    pool.create("discarded-copy", 16 * MIB, &site::plain())?;
    pool.open("discarded-copy")?.write_at(0, &expected)?;
    assert_eq!(site.sha256_of_export("one/discarded")?, site.sha256_of_export("one/discarded-copy")?);
    Ok(())
}

#[test]
fn vectors_are_written_and_read_one_behind_the_other() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "vectored")?;
    let mut data = Vec::new();
    Pattern::new(13, 9 * MIB).read_to_end(&mut data)?;
    let pieces: Vec<Vec<u8>> = data.chunks(777_777).map(<[u8]>::to_vec).collect();
    image.write_vectored_at(MIB, pieces.clone())?;
    image.write_vectored_at(0, Vec::new())?;
    image.flush()?;
    assert!(image.read_at(MIB, data.len())? == data);
    let lengths: Vec<usize> = pieces.iter().map(Vec::len).collect();
    assert!(image.read_vectored_at(MIB, &lengths)? == pieces);
    assert_eq!(image.read_vectored_at(0, &[])?, [[0; 0]; 0]);
    assert_eq!(image.read_vectored_at(16 * MIB - 6, &[4, 4, 4])?, [vec![0; 4], vec![0; 2], vec![]]);
    let handle = pool.open_read_only("vectored")?;
    let refused = handle.write_vectored_at(0, vec![b"x".to_vec()]);
    assert_eq!(tests::expect::refusal(refused), rbd_mirror::Refusal::ReadOnlyHandle);
    drop(site);
    Ok(())
}

#[test]
fn zeroes_and_patterns_cover_their_range_and_nothing_else() -> Result<()> {
    let pool = site::pool(ONE)?;
    let image = site::disk(&pool, "zeroed")?;
    image.write_same(0, 16 * MIB, b"pattern!")?;
    for (offset, how) in [(4096, Zeroes::Thin), (8 * MIB, Zeroes::Thick)] {
        image.write_zeroes(offset, 8192, how)?;
        let around = image.read_at(offset - 8, 8192 + 16)?;
        assert_eq!((&around[..8], &around[8200..]), (&b"pattern!"[..], &b"pattern!"[..]), "{how:?}");
        assert!(around[8..8200].iter().all(|byte| *byte == 0), "{how:?}");
    }
    assert_eq!(image.read_at(16 * MIB - 8, 8)?, b"pattern!");
    let odd = image.write_same(0, 1000, b"1234567");
    assert!(matches!(odd, Err(Error::InvalidInput { .. })), "{odd:?}");
    assert!(matches!(image.write_same(0, 8, b""), Err(Error::InvalidInput { .. })));
    image.flush()?;
    Ok(())
}

#[test]
fn a_large_read_and_write_go_in_one_piece() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    pool.create("large", 192 * MIB, &site::plain())?;
    let image = pool.open("large")?;
    let mut data = Vec::new();
    Pattern::new(14, 192 * MIB).read_to_end(&mut data)?;
    image.write_at(0, &data)?;
    image.flush()?;
    assert!(image.read_at(0, data.len())? == data);
    assert_eq!(site.sha256_of_export("one/large")?, Pattern::new(14, 192 * MIB).sha256());
    Ok(())
}

#[test]
fn a_compare_and_write_writes_only_over_what_it_expects() -> Result<()> {
    let image = site::disk(&site::pool(ONE)?, "compared")?;
    image.write_at(0, &[1; 512])?;
    image.compare_and_write(0, &[1; 512], &[2; 512])?;
    assert_eq!(image.read_at(0, 512)?, [2; 512]);
    assert_eq!(
        tests::expect::errno(image.compare_and_write(0, &[1; 512], &[3; 512])),
        rbd_mirror::Errno::EILSEQ
    );
    assert_eq!(image.read_at(0, 512)?, [2; 512]);
    let uneven = image.compare_and_write(0, &[2; 512], &[3; 1024]);
    assert!(matches!(uneven, Err(Error::InvalidInput { .. })), "{uneven:?}");
    Ok(())
}
