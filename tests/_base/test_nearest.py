from ccnn_geo._base.nearest import did_you_mean, nearest


def test_the_nearest_name():
    known = ["shapes/ccnn_4_32", "Folder", "image_folder", "lidar"]
    assert nearest("shape/ccnn_4_32", known) == "shapes/ccnn_4_32"
    assert nearest("foldr", known) == "Folder" and nearest("LIDAR", known) == "lidar"
    assert nearest("voxels", known) is None and nearest(None, []) is None
    assert did_you_mean("foldre", known) == "; did you mean Folder?" and did_you_mean("x", known) == ""
