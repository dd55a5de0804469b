//! Pickles of Python and NumPy as data.

use weights::Dtype;
use weights::pickle::{Value, read};

use crate::golden;

#[test]
fn all_protocols_say_the_same() {
    let files = [
        "arrays_0.pkl",
        "arrays_1.pkl",
        "arrays_2.pkl",
        "arrays_3.pkl",
        "arrays_4.pkl",
        "arrays_5.pkl",
    ];
    for (protocol, file) in files.iter().enumerate() {
        let value = read(&golden::bytes(file)).expect("it");
        let dict = value.as_dict().expect("a dictionary");
        let get = |key: &str| dict.get(key).unwrap_or_else(|| panic!("protocol {protocol}: {key}"));
        let array = |key: &str| get(key).as_array().unwrap_or_else(|| panic!("{protocol}: {key}"));

        let data = array("data");
        assert_eq!((data.dtype(), data.shape()), (Dtype::U8, &[2, 3][..]));
        assert_eq!(data.bytes()[..], [0, 1, 2, 3, 4, 5]);
        assert_eq!(array("fortran").shape(), [2, 3]);
        assert_eq!(array("fortran").to_f32(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(
            (array("big").dtype(), array("big").to_f32()),
            (Dtype::I32, vec![0.0, 1.0, 2.0])
        );
        assert_eq!(array("bool").to_f32(), [1.0, 0.0]);

        let [half, minus, large, truth] = get("scalars").as_list().expect("four") else { panic!() };
        assert_eq!((half, minus.as_int()), (&Value::Float(1.5), Some(-3)));
        assert_eq!(*large, Value::Long([0, 0, 0, 0, 0, 0, 0, 0x80, 0][..].into()));
        assert_eq!(*truth, Value::Bool(true));

        let texts: Vec<_> =
            get("texts").as_list().expect("two").iter().map(Value::as_str).collect();
        assert_eq!(texts, [Some("ä"), Some("😀")]);
        assert_eq!(*get("bytes"), Value::Bytes(vec![0, 255].into()));
        let ints: Vec<_> =
            get("ints").as_list().expect("seven").iter().map(Value::as_int).collect();
        let most = [Some(0), Some(-1), Some(255), Some(65535), Some(-(1 << 31)), Some(1 << 40)];
        assert_eq!(ints[..6], most);
        // 2^80 is beyond 64 bits: kept as its bytes.
        let bytes = [[0; 10].as_slice(), &[1]].concat();
        assert_eq!(get("ints").as_list().expect("seven")[6], Value::Long(bytes.into()));
        assert_eq!(*get("set"), Value::Set([Value::Int(1)][..].into()));
        assert_eq!(
            get("objects").as_object().map(|o| &*o.class),
            Some("numpy._core.multiarray._reconstruct")
        );
        let nested = get("nested").as_list().expect("five");
        assert_eq!(nested[..3], [Value::None, Value::Bool(true), Value::Float(2.5)]);
        assert_eq!(nested[3].as_list().map(<[_]>::len), Some(1));
        assert!(nested[4].as_dict().is_some_and(|dict| dict.entries.is_empty()));
    }
}

#[test]
fn a_batch_of_cifar_10_is_read_as_python_2_wrote_it() {
    let value = read(&golden::bytes("python2.pkl")).expect("it");
    let dict = value.as_dict().expect("a dictionary");
    let data = dict.get("data").and_then(Value::as_array).expect("an array");
    assert_eq!((data.dtype(), data.shape()), (Dtype::U8, &[2, 128][..]));
    assert_eq!(data.bytes()[..], (0..=255).collect::<Vec<u8>>());
    let labels = dict.get("labels").and_then(Value::as_list).expect("a list");
    assert_eq!(labels.iter().map(Value::as_int).collect::<Vec<_>>(), [Some(3), Some(8)]);
    assert_eq!(dict.get("batch_label").and_then(Value::as_str), Some("testing batch 1 of 1"));
    let name = dict.get("filenames").and_then(|names| names.as_list()?.first()?.as_str());
    assert_eq!(name, Some("a.png"));
}

/// What a checkpoint has beside its weights is kept as data; nothing of it is called.
#[test]
fn objects_are_kept_and_not_called() {
    // os.system("false") as a pickle would have it run.
    let value = read(b"\x80\x02cos\nsystem\nX\x05\0\0\0false\x85R.").expect("it");
    let object = value.as_object().expect("an object");
    assert_eq!((&*object.class, object.args[0].as_str()), ("os.system", Some("false")));
    // A namespace, which has its attributes as its state.
    let value = read(b"\x80\x02cargparse\nNamespace\n)\x81}X\x02\0\0\0lrK\x01sb.").expect("it");
    let object = value.as_object().expect("an object");
    let lr = object.state.as_ref().and_then(|state| state.as_dict()?.get("lr")?.as_int());
    assert_eq!((&*object.class, lr), ("argparse.Namespace", Some(1)));
    assert_eq!(read(b"L-1208925819614629174706176L\n.").expect("it"), {
        Value::Long([[0; 10].as_slice(), &[0xff]].concat().into())
    });
    // A function that makes a function: its name is not known, its arguments are.
    let value = read(b"cbuiltins\ngetattr\n(cos\npath\nVjoin\ntR)R.").expect("it");
    assert_eq!(value.as_object().map(|o| &*o.class), Some("(builtins.getattr)"));
}
